#include "lib.h"
void test_run(void) { }
