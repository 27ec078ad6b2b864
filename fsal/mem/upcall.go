package mem

import "github.com/tidegate/tidegate/fsal"

// Nobody uses an FS beside its caller. What others would bring about happens by
// these calls.

// Watch implements fsal.FS.
func (fs *FS) Watch(up fsal.Upcalls) { fs.up = up }

// Want is somebody outside who wants the file of a Key.
func (fs *FS) Want(k fsal.Key) { fs.up.Recall(k) }

// Lose is what the loss of its session is to a file system on a network: all
// byte-range locks are gone, and whatever was written Unstable may be.
func (fs *FS) Lose(reason error) {
	fs.lost.Store(true)
	defer fs.lost.Store(false)
	fs.verifier.Add(1)
	fs.DropLocks()
	fs.up.Lost(reason)
}

// DropLocks drops all byte-range locks, as the end of the process does that holds
// those of a file system on disk.
func (fs *FS) DropLocks() {
	for _, n := range fs.inodes.all() {
		n.mu.Lock()
		n.locks = nil
		n.mu.Unlock()
	}
}

// deaf is who listens until Watch is called.
type deaf struct{}

func (deaf) Invalidate(fsal.Key) {}
func (deaf) Recall(fsal.Key)     {}
func (deaf) Release(fsal.Key)    {}
func (deaf) Lost(error)          {}
