package state

import "context"

// Withdraw takes from the clients, on record first, all that they hold on the
// files of a file system that is not served any more; their stateids answer so
// until they free them (RFC 8881, 8.5). Nobody may be granted anything there while
// it runs. Errors: Delay, if some is left; then it is to be called again.
func (s *Store) Withdraw(ctx context.Context, fs uint32) error {
	if err := s.Lose(ctx, fs); err != nil {
		return err
	}
	return s.lose(ctx, fs, (*File).findOpens)
}

// findOpens adds to each client's losses the opens that it has of f.
func (f *File) findOpens(of func(*Client) *losses) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.opens {
		x := of(o.client)
		x.files, x.opens = append(x.files, string(f.key.handle())), append(x.opens, o)
	}
}

// withdraw takes from the client an open that is on record as lost, if it has it
// still.
func (o *Open) withdraw() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closeLocked(AdminRevoked)
	}
}
