package hosttest

import (
	"sync"
)

// Queues are storage queues: what is taken comes back unless it is deleted.
type Queues struct {
	mu      sync.Mutex
	waiting map[string][]*Message
	taken   map[*Message]bool
}

// Message is one queue message.
type Message struct {
	Queue    string
	Text     string
	Dequeued int
}

// NewQueues makes empty queues.
func NewQueues() *Queues {
	return &Queues{waiting: map[string][]*Message{}, taken: map[*Message]bool{}}
}

// Put adds a message.
func (q *Queues) Put(queue, text string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting[queue] = append(q.waiting[queue], &Message{Queue: queue, Text: text})
}

// Take takes the first message; nil if there is none.
func (q *Queues) Take(queue string) *Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.waiting[queue]
	if len(list) == 0 {
		return nil
	}
	m := list[0]
	q.waiting[queue] = list[1:]
	m.Dequeued++
	q.taken[m] = true
	return m
}

// Delete ends a message.
func (q *Queues) Delete(m *Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.taken, m)
}

// Return puts a message back, or into the poison queue if it was taken as often
// as it may be.
func (q *Queues) Return(m *Message, maxDequeue int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.taken, m)
	if m.Dequeued >= maxDequeue {
		m = &Message{Queue: m.Queue + "-poison", Text: m.Text}
	}
	q.waiting[m.Queue] = append(q.waiting[m.Queue], m)
}

// Len is the number of messages that wait or are taken.
func (q *Queues) Len(queue string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.waiting[queue])
	for m := range q.taken {
		if m.Queue == queue {
			n++
		}
	}
	return n
}

// Texts are the messages that wait.
func (q *Queues) Texts(queue string) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []string
	for _, m := range q.waiting[queue] {
		out = append(out, m.Text)
	}
	return out
}

// Deliver takes one message of a queue function's queue and delivers it. It
// reports whether there was one, and why the delivery failed.
func (h *Host) Deliver(name string) (delivered bool, err error) {
	h.tb.Helper()
	f := h.function(name)
	in := f.in()
	m := h.Queues.Take(in.QueueName)
	if m == nil {
		return false, nil
	}
	a, err := h.Post("/"+name, QueuePayload(in.Name, in.DataType, m.Text, m.Dequeued))
	if err == nil {
		err = h.outputs(f, a)
	}
	if err != nil {
		h.Queues.Return(m, h.maxDequeue())
		return true, err
	}
	h.Queues.Delete(m)
	return true, nil
}
