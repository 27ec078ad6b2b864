package grace

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// Who is on record at another server is not let in here, be it a client of this
// one, or were storage not to tell.
func TestAwaited(t *testing.T) {
	run(t, func(t *testing.T, s *server, _ *recoverytest.Disk) {
		s.want("nobody else is there", s.Awaited(ctx, "moved"), nil)
		s.holder("mine")
		s.restart()
		asked, failure := 0, error(nil)
		s.cfg.Elsewhere = func(_ context.Context, owner string) (string, error) {
			asked++
			return map[string]string{"moved": "gw2", "mine": "gw2"}[owner], failure
		}
		s.want("one that may reclaim here", s.Awaited(ctx, "mine"), nil)
		s.Admit("here", "", "")
		s.want("one that has a client ID here", s.Awaited(ctx, "here"), nil)
		if asked != 0 {
			t.Errorf("%d questions about clients that are known", asked)
		}
		s.want("one that is nowhere", s.Awaited(ctx, "new"), nil)
		s.want("one that is elsewhere", s.Awaited(ctx, "moved"), Delay)
		s.want("and again", s.Awaited(ctx, "moved"), Delay)
		if all := strings.Join(s.lines, "\n"); strings.Count(all, `client "moved" must wait for gw2`) != 1 {
			t.Errorf("the log:\n%s", all)
		}
		runs := map[uint64]string{7: "gw2"}
		if s.Other(ctx, 7, "s") {
			t.Error("a run of another server, and there is none")
		}
		s.cfg.Running = func(_ context.Context, run uint64, _ string) (string, error) { return runs[run], failure }
		if !s.Other(ctx, 7, "s") || s.Other(ctx, 8, "s") {
			t.Error("run 7 is another server's, and run 8 nobody's")
		}
		failure = syscall.EIO
		s.want("storage fails", s.Awaited(ctx, "new"), Delay)
		if !s.Other(ctx, 8, "s") {
			t.Error("whose run it is cannot be known")
		}
	})
}
