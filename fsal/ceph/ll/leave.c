//go:build ceph

#define _DEFAULT_SOURCE
#include <stdlib.h>
#include <unistd.h>

static void leave(int status, void *unused)
{
	(void)unused;
	_exit(status);
}

// The threads of a client that was aborted run until the process is gone, and read
// what is static in Ceph's libraries, its table of options for one. Go ends a program
// at once, except where it looks for races: then by exit, which destroys what is static
// while they run.
__attribute__((constructor)) static void leave_all_as_it_is(void)
{
	on_exit(leave, NULL);
}
