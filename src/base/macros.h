// Early return on a bad Status.
#pragma once

#define ISOTHERM_CONCAT_INNER(a, b) a##b
#define ISOTHERM_CONCAT(a, b) ISOTHERM_CONCAT_INNER(a, b)

// RETURN_IF_ERROR(DoIt());
#define RETURN_IF_ERROR(expression)                                           \
  do {                                                                        \
    if (::isotherm::Status error_status = (expression); !error_status.ok()) { \
      return error_status;                                                    \
    }                                                                         \
  } while (false)

// ASSIGN_OR_RETURN(auto value, Compute());
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(ISOTHERM_CONCAT(result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) {                                           \
    return result.status();                                     \
  }                                                             \
  declaration = std::move(result).value()
