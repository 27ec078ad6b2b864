//go:build ceph

package ll

/*
#include <malloc.h>

static size_t tg_idle(void)
{
#if __GLIBC_PREREQ(2, 33)
	return mallinfo2().fordblks;
#else
	return (unsigned)mallinfo().fordblks;
#endif
}
*/
import "C"

// Idle returns how many bytes of the process malloc holds for what will be asked of
// it, whether the kernel has these pages back by now or not.
func Idle() int { return int(C.tg_idle()) }

// Trim gives them back to the kernel.
func Trim() { C.malloc_trim(0) }
