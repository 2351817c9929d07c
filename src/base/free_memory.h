// Memory that was freed, and that the allocator keeps.
#pragma once

namespace isotherm {

// Gives it back to the system, where the allocator lets itself be told. Takes milliseconds: for after work that took
// much memory, and is not done again soon.
void GiveBackFreeMemory();

}  // namespace isotherm
