#include "lib.h"
void test_busy(void) { }
