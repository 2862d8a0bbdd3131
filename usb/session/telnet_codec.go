package session

// Telnet commands (RFC 854) and options (RFC 857 echo, RFC 858 suppress
// go-ahead, RFC 1073 window size).
const (
	tnSE   = 240
	tnSB   = 250
	tnWILL = 251
	tnWONT = 252
	tnDO   = 253
	tnDONT = 254
	tnIAC  = 255

	optEcho = 1
	optSGA  = 3
	optNAWS = 31
)

// maxSubnegotiation bounds what is kept of one subnegotiation, in bytes. No
// option that this side agrees to has the peer send one, so none is looked at.
const maxSubnegotiation = 256

type telnetState uint8

const (
	stData telnetState = iota
	stCR               // a CR was passed on; a NUL after it is padding
	stIAC
	stWill
	stWont
	stDo
	stDont
	stSub    // inside a subnegotiation
	stSubIAC // an IAC inside a subnegotiation
)

// telnetCodec is the client's side of the protocol as a pure state machine:
// bytes in, user bytes and answers out. It answers a request only where it
// changes something, so that two sides never talk in circles.
type telnetCodec struct {
	state telnetState

	peerDoes    [256]bool // options the peer performs, by its WILL and our DO
	weDo        [256]bool // options we perform, by the peer's DO and our WILL
	refusedPeer [256]bool // a DONT is out and not yet acknowledged
	refusedUs   [256]bool // a WONT is out and not yet acknowledged

	cols, rows int // 0: unknown
	sub        int // bytes of the subnegotiation at hand
}

// feed takes bytes off the wire. It appends user bytes to data and what must be
// answered to reply, and returns both.
func (c *telnetCodec) feed(in, data, reply []byte) (_, _ []byte) {
	for _, b := range in {
		switch c.state {
		case stData, stCR:
			padding := c.state == stCR && b == 0
			c.state = stData
			switch {
			case b == tnIAC:
				c.state = stIAC
			case padding: // CR NUL is a plain CR (RFC 854)
			default:
				if b == '\r' {
					c.state = stCR
				}
				data = append(data, b)
			}
		case stIAC:
			c.state = stData
			switch b {
			case tnIAC:
				data = append(data, tnIAC)
			case tnWILL:
				c.state = stWill
			case tnWONT:
				c.state = stWont
			case tnDO:
				c.state = stDo
			case tnDONT:
				c.state = stDont
			case tnSB:
				c.state, c.sub = stSub, 0
			default: // NOP, GA, AYT and the like need no answer from a client
			}
		case stWill, stWont, stDo, stDont:
			reply = c.negotiate(c.state, b, reply)
			c.state = stData
		case stSub:
			c.sub++
			if b == tnIAC {
				c.state = stSubIAC
			} else if c.sub > maxSubnegotiation {
				// A peer that never ends one must not swallow the session.
				c.state = stData
			}
		case stSubIAC:
			c.state = stSub
			if b == tnSE {
				c.state = stData
			} else if b != tnIAC {
				// A command where SE is due: the subnegotiation is broken off.
				c.state = stIAC
				data, reply = c.feed([]byte{b}, data, reply)
			}
		}
	}
	return data, reply
}

func (c *telnetCodec) negotiate(verb telnetState, opt byte, reply []byte) []byte {
	switch verb {
	case stWill:
		switch {
		case opt != optEcho && opt != optSGA:
			if !c.refusedPeer[opt] {
				c.refusedPeer[opt] = true
				reply = append(reply, tnIAC, tnDONT, opt)
			}
		case !c.peerDoes[opt]:
			c.peerDoes[opt] = true
			reply = append(reply, tnIAC, tnDO, opt)
		}
	case stWont:
		c.refusedPeer[opt] = false
		if c.peerDoes[opt] {
			c.peerDoes[opt] = false
			reply = append(reply, tnIAC, tnDONT, opt)
		}
	case stDo:
		switch {
		case opt != optNAWS && opt != optSGA:
			if !c.refusedUs[opt] {
				c.refusedUs[opt] = true
				reply = append(reply, tnIAC, tnWONT, opt)
			}
		case !c.weDo[opt]:
			c.weDo[opt] = true
			reply = append(reply, tnIAC, tnWILL, opt)
			if opt == optNAWS {
				reply = c.naws(reply)
			}
		}
	case stDont:
		c.refusedUs[opt] = false
		if c.weDo[opt] {
			c.weDo[opt] = false
			reply = append(reply, tnIAC, tnWONT, opt)
		}
	}
	return reply
}

// resize notes the size of the window and appends what the peer must hear of it.
func (c *telnetCodec) resize(cols, rows int, reply []byte) []byte {
	c.cols, c.rows = min(max(cols, 0), 0xffff), min(max(rows, 0), 0xffff)
	if !c.weDo[optNAWS] {
		return reply
	}
	return c.naws(reply)
}

// naws appends the window size (RFC 1073), each number in network order.
func (c *telnetCodec) naws(reply []byte) []byte {
	if c.cols == 0 || c.rows == 0 {
		return reply
	}
	reply = append(reply, tnIAC, tnSB, optNAWS)
	for _, b := range []byte{byte(c.cols >> 8), byte(c.cols), byte(c.rows >> 8), byte(c.rows)} {
		if b == tnIAC {
			reply = append(reply, tnIAC)
		}
		reply = append(reply, b)
	}
	return append(reply, tnIAC, tnSE)
}

// escapeTelnet appends user bytes as they go on the wire: IAC doubled, a CR
// that no LF follows padded with NUL (RFC 854, "The NVT printer and keyboard").
func escapeTelnet(p, wire []byte) []byte {
	for i, b := range p {
		wire = append(wire, b)
		switch {
		case b == tnIAC:
			wire = append(wire, tnIAC)
		case b == '\r' && (i+1 == len(p) || p[i+1] != '\n'):
			wire = append(wire, 0)
		}
	}
	return wire
}
