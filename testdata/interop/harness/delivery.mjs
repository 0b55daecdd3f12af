// Delivery as Signal-Server does it, where the mock forgets (sources: service/…/websocket/WebSocketConnection.java):
// an envelope is kept until the device acknowledges it with a 2xx, at most `window` are in flight, what was not
// acknowledged is sent again on the next connection, and queue/empty follows the acknowledgement of the backlog.
export class DeliveryQueue {
  entries = [];
  history = [];
  socket = undefined;
  inFlight = 0;
  next = 0;
  backlog = undefined;
  acknowledged = 0;
  rejected = 0;

  constructor({ window, onEmpty, keepHistory = 1000 }) {
    this.window = window;
    this.onEmpty = onEmpty;
    this.keepHistory = keepHistory;
  }

  get depth() {
    return this.entries.length;
  }

  push(envelope) {
    this.entries.push({ envelope, state: 'waiting' });
    this.pump();
  }

  connect(socket) {
    this.socket = socket;
    this.restart();
    this.backlog = new Set(this.entries);
    this.startedAt = performance.now();
    this.pump();
    this.#checkEmpty(socket);
  }

  disconnect(socket) {
    if (this.socket !== socket) return false;
    this.socket = undefined;
    this.backlog = undefined;
    this.restart();
    return true;
  }

  restart() {
    for (const entry of this.entries) entry.state = 'waiting';
    this.next = 0;
    this.inFlight = 0;
  }

  /** Stops sending (what is in flight may still be acknowledged) or goes on. */
  hold(held) {
    this.held = held;
    if (!held) this.startedAt = performance.now();
    this.pump();
  }

  pump() {
    while (this.socket && !this.held && this.inFlight < this.window && this.next < this.entries.length) {
      const entry = this.entries[this.next++];
      entry.state = 'sent';
      this.inFlight++;
      void this.#deliver(this.socket, entry);
    }
  }

  async #deliver(socket, entry) {
    let accepted = true;
    try {
      await socket.sendMessage(entry.envelope);
    } catch {
      accepted = false;
    }
    if (this.socket !== socket) return;
    this.inFlight--;
    if (accepted) this.#acknowledge(entry);
    else {
      this.rejected++;
      entry.state = 'rejected';
    }
    this.backlog?.delete(entry);
    this.pump();
    this.#checkEmpty(socket);
  }

  #acknowledge(entry) {
    const index = this.entries.indexOf(entry);
    this.entries.splice(index, 1);
    if (index < this.next) this.next--;
    this.acknowledged++;
    this.lastAcknowledgedAt = performance.now();
    this.history.push(entry.envelope);
    if (this.history.length > this.keepHistory) this.history.shift();
  }

  #checkEmpty(socket) {
    if (!this.backlog || this.backlog.size > 0) return;
    this.backlog = undefined;
    socket.sendMessage('empty').then(() => this.onEmpty(), () => undefined);
  }

  /** Sends the last n acknowledged envelopes once more, the same bytes with the same GUIDs. */
  redeliver(n) {
    const again = this.history.slice(-n);
    for (const envelope of again) this.push(envelope);
    return again.length;
  }
}
