package state

import "sync/atomic"

// quota counts what is held.
type quota struct{ n atomic.Int64 }

// take adds one unless that makes more than limit.
func (q *quota) take(limit int) bool {
	if q.n.Add(1) > int64(limit) {
		q.n.Add(-1)
		return false
	}
	return true
}

func (q *quota) give()    { q.n.Add(-1) }
func (q *quota) len() int { return int(q.n.Load()) }
