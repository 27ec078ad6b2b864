//go:build ceph

#include <sys/prctl.h>

// While calls into libcephfs block, Go's runtime looks for others to run in their
// place every 20 us, which is a thread's wake-up each time. Half a millisecond is
// soon enough with as many threads as these calls have. Threads have the slack of
// the thread that made them, so it is set before there is any other.
__attribute__((constructor)) static void look_less_often(void)
{
	prctl(PR_SET_TIMERSLACK, 500000UL, 0UL, 0UL, 0UL);
}
