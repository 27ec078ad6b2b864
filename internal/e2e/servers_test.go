package e2e

import "testing"

// A client of two servers of one machine uses each for what is the server's.
func TestTwoServers(t *testing.T) {
	needGuest(t)
	t.Parallel()
	c := bootClient(t)
	one, two := startServer(t, export{"mem:", "/mem"}), startServer(t, export{"mem:", "/mem"})
	c.mount(one, "/mem", "/mnt/one", "vers=4.2")
	c.mount(two, "/mem", "/mnt/two", "vers=4.2")
	c.sh("echo 1 >/mnt/one/f; echo 2 >/mnt/two/f; test $(cat /mnt/one/f) = 1; test $(cat /mnt/two/f) = 2")
	one.kill()
	c.sh("rm /mnt/two/f; test ! -e /mnt/two/f")
	one.start()
}
