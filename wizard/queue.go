package wizard

import (
	"context"
	"sync"
)

// maxQueued is how many events may wait for a slow reader before steps wait too.
const maxQueued = 4096

// queue carries events from many goroutines to one reader, in order. Put waits
// while the queue is full and the context lives; after that it never waits, so
// that the last words of a cancelled step are not lost.
type queue struct {
	mu     sync.Mutex
	room   *sync.Cond
	items  []Event
	bell   chan struct{} // capacity 1
	closed bool
	out    chan Event
	done   chan struct{}
}

func newQueue() *queue {
	q := &queue{bell: make(chan struct{}, 1), out: make(chan Event), done: make(chan struct{})}
	q.room = sync.NewCond(&q.mu)
	go q.pump()
	return q
}

func (q *queue) put(ctx context.Context, e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) >= maxQueued && ctx.Err() == nil && !q.closed {
		stop := context.AfterFunc(ctx, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.room.Broadcast()
		})
		for len(q.items) >= maxQueued && ctx.Err() == nil && !q.closed {
			q.room.Wait()
		}
		stop()
	}
	if q.closed || len(q.items) >= 2*maxQueued {
		return
	}
	q.items = append(q.items, e)
	q.ring()
}

func (q *queue) ring() {
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

// pump hands the events to the reader until the queue is closed.
func (q *queue) pump() {
	defer close(q.out)
	for {
		q.mu.Lock()
		items, closed := q.items, q.closed
		q.items = nil
		q.room.Broadcast()
		q.mu.Unlock()
		for _, e := range items {
			select {
			case q.out <- e:
			case <-q.done:
				return
			}
		}
		if closed {
			return
		}
		select {
		case <-q.bell:
		case <-q.done:
			return
		}
	}
}

// close ends the reader's channel. Events that it has not read are dropped.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.done)
		q.room.Broadcast()
	}
}
