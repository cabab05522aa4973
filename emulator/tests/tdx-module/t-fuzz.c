#include "lib.h"
void test_fuzz(void) { }
