// An order of cells in which cells that lie near each other in space lie near each other in the list.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace isotherm {

// Returns the permutation: result[i] is the cell that comes i-th. `sizes` weighs the cells. Time O(cells² x dimension)
// for one group; more than 4,096 cells are ordered in groups.
std::vector<uint32_t> OrderCells(std::span<const float> centroids, uint32_t dimension, std::span<const uint32_t> sizes);

}  // namespace isotherm
