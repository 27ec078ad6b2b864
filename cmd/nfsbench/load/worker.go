package load

import (
	"context"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// worker sends one operation after the other on a slot of its own.
type worker struct {
	id        int
	session   *client.Session
	slot      *client.Slot
	conn      *client.Conn // of a worker without a session
	root, top wire.FH      // the export, and the Bench's directory in it
	dir       wire.FH      // the worker's own directory
	name      string       // of dir
	files     int          // to make
	made      []string     // names in dir
	held      []opened     // until clean
	latency   *hdrhistogram.Histogram
	ops       uint64
	operation
}

// operation is what a worker does again and again.
type operation struct {
	prepare func() error // before a round of as many steps as there are files; may be nil
	step    func() error
}

// opened is a file that is open.
type opened struct {
	fh wire.FH
	id wire.Stateid
}

// pace is when a worker's operations are due; the zero pace is at once.
type pace struct {
	next time.Time
	each time.Duration
}

func newWorker(s *client.Session, slot *client.Slot, files int) *worker {
	return &worker{session: s, slot: slot, files: files, latency: newHistogram()}
}

// run repeats the operation, once at least, until the deadline, or steps times if
// that is not 0.
func (w *worker) run(ctx context.Context, p pace, deadline time.Time, steps int) error {
	var due *alarm
	if p.each > 0 {
		var err error
		if due, err = newAlarm(); err != nil {
			return err
		}
		defer due.close()
		defer context.AfterFunc(ctx, due.cancel)()
	}
	for n := 0; steps == 0 || n < steps; n++ {
		begin := time.Now()
		if p.each > 0 {
			until := p.next
			if n > 0 && until.After(deadline) {
				until = deadline
			}
			switch err := due.wait(until.Sub(begin)); {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return err
			}
			begin = p.next
			p.next = p.next.Add(p.each)
		}
		if n > 0 && !begin.Before(deadline) {
			return nil
		}
		if err := w.step(); err != nil {
			return err
		}
		w.latency.RecordValue(min(int64(time.Since(begin)), slowest))
		w.ops++
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// patience bounds the wait for a server in its grace period.
const patience = 2 * time.Minute

// do sends one COMPOUND and waits for as long as the server asks to.
func (w *worker) do(ctx context.Context, ops ...wire.Args) (*client.Reply, error) {
	for begin := time.Now(); ; {
		reply, err := w.slot.Do(ctx, ops...)
		if err != nil {
			return nil, err
		}
		if reply.Status != wire.ErrDelay && reply.Status != wire.ErrGrace || time.Since(begin) > patience {
			return reply, reply.Err()
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// send is a COMPOUND of n operations whose results nobody reads.
func (w *worker) send(ctx context.Context, n int, encode func(*xdr.Encoder)) func() error {
	var status wire.Status
	decode := func(d *xdr.Decoder) error {
		status = wire.Status(d.Uint32())
		return d.Err()
	}
	return func() error {
		for {
			err := w.slot.Call(ctx, n, encode, decode)
			switch {
			case err != nil:
				return err
			case status == wire.OK:
				return nil
			case status != wire.ErrDelay:
				return fmt.Errorf("the server answered %v", status)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func (w *worker) walk(ctx context.Context, path string) (wire.FH, error) {
	return w.handle(ctx, client.Walk(path)...)
}

// handle returns the file handle that ops lead to.
func (w *worker) handle(ctx context.Context, ops ...wire.Args) (wire.FH, error) {
	reply, err := w.do(ctx, append(ops, wire.GetFHArgs{})...)
	if err != nil {
		return nil, err
	}
	res, err := client.Body[wire.GetFHRes](reply)
	return res.Object, err
}

func (w *worker) mkdir(ctx context.Context, dir wire.FH, name string) (wire.FH, error) {
	return w.handle(ctx, wire.PutFHArgs{Object: dir}, wire.CreateArgs{
		ObjType: wire.TypeDir, ObjName: []byte(name), CreateAttrs: client.ModeAttr(0o755).Encode(),
	})
}

func (w *worker) remove(ctx context.Context, dir wire.FH, name string) error {
	_, err := w.do(ctx, wire.PutFHArgs{Object: dir}, wire.RemoveArgs{Target: []byte(name)})
	if client.IsStatus(err, wire.ErrNoEnt) {
		return nil
	}
	return err
}

// file makes an empty file and closes it.
func (w *worker) file(ctx context.Context, name string) (wire.FH, error) {
	f, err := w.open(ctx, name, true)
	if err != nil {
		return nil, err
	}
	w.made = append(w.made, name)
	return f.fh, w.close(ctx, f)
}

// openArgs opens a file of the worker's directory for reading and writing.
func (w *worker) openArgs(name string, create bool) wire.OpenArgs {
	args := wire.OpenArgs{
		ShareAccess: wire.OpenShareAccessBoth | wire.OpenShareAccessWantNoDeleg,
		Owner:       wire.StateOwner{ClientID: w.session.Client.ID, Owner: []byte(w.name)},
		Claim:       wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	}
	if create {
		args.OpenType = wire.OpenCreate
		args.How = wire.CreateHow{Mode: wire.Unchecked, CreateAttrs: client.ModeAttr(0o644).Encode()}
	}
	return args
}

func (w *worker) open(ctx context.Context, name string, create bool) (opened, error) {
	reply, err := w.do(ctx, wire.PutFHArgs{Object: w.dir}, w.openArgs(name, create), wire.GetFHArgs{},
		wire.AccessArgs{Access: allAccess}, wire.GetattrArgs{AttrRequest: client.CommonAttrs()})
	if err != nil {
		return opened{}, err
	}
	res, err := client.Body[wire.OpenRes](reply)
	if err != nil {
		return opened{}, err
	}
	fh, err := client.Body[wire.GetFHRes](reply)
	return opened{fh.Object, res.Stateid}, err
}

func (w *worker) close(ctx context.Context, f opened) error {
	_, err := w.do(ctx, wire.PutFHArgs{Object: f.fh}, wire.CloseArgs{OpenStateid: f.id})
	return err
}

// clean removes what the worker made.
func (w *worker) clean(ctx context.Context) error {
	if w.dir == nil {
		return nil
	}
	for _, f := range w.held {
		if err := w.close(ctx, f); err != nil {
			return err
		}
	}
	for _, name := range w.made {
		if err := w.remove(ctx, w.dir, name); err != nil {
			return err
		}
	}
	return w.remove(ctx, w.top, w.name)
}
