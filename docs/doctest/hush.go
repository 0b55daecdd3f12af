package doctest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"
)

// hush has the sandbox's clock stop: what it writes now and then would come between the messages of a document. It takes
// what has arrived until then. A socket that wants a token is left alone.
func hush(port string) error {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return fmt.Errorf("doctest: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("doctest: %w", err)
	}
	const stop = `{"command":"send_message","recipient":"+12025550102","dataMessage":{"message":"stop"}}`
	const receive = `{"command":"receive_messages","timeout":-1}`
	replies := bufio.NewReader(conn)
	for request := stop; ; request = receive {
		if _, err := fmt.Fprintln(conn, request); err != nil {
			return fmt.Errorf("doctest: %w", err)
		}
		line, err := replies.ReadString('\n')
		if err != nil {
			return fmt.Errorf("doctest: the clock does not stop: %w", err)
		}
		var reply struct {
			StatusCode   int
			ErrorMessage string
		}
		const unauthorized = 19
		switch err := json.Unmarshal([]byte(line), &reply); {
		case err != nil:
			return fmt.Errorf("doctest: %w", err)
		case reply.StatusCode == unauthorized, strings.Contains(line, "The clock is still"):
			return nil
		case reply.StatusCode != 0:
			return fmt.Errorf("doctest: the clock cannot be told to stop: %s", reply.ErrorMessage)
		}
	}
}
