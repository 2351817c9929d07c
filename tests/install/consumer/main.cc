// Links against the installed library and uses it: a header alone would not show a missing object file.
#include <isotherm/status.h>

#include <iostream>

int main() {
  const isotherm::Status status = isotherm::Status::NotFound("no collection here").WithContext("memory:");
  if (status.ToString() != "NotFound: memory:: no collection here") {
    std::cerr << "unexpected message: " << status << "\n";
    return 1;
  }
  return 0;
}
