package updown

import "errors"

// Decode reads a message.
func Decode(data []byte, l Limits) (Message, error) {
	return Message{}, errors.New("not yet")
}
