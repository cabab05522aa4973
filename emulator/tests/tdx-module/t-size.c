#include "lib.h"
void test_size(void) { }
