#include "lib.h"
void test_tdcall(void) { }
