#include "lib.h"
void test_meta(void) { }
