// The Runner API over one WebSocket: calls, and what the runner says by itself. It connects again by itself.

const AGAIN_MS = [500, 1000, 2000, 5000];

/** What the runner refuses; `code` and `data` as in JSON-RPC. */
export class Refused extends Error {
  constructor({ message, code, data }) {
    super(message);
    Object.assign(this, { code, data });
  }
}

export class Api {
  /** `changed(state)`: "open", "closed" (it is tried again), "refused" (the token is wrong). */
  constructor(token, changed) {
    Object.assign(this, { token, changed, count: 0, tries: 0, waiting: new Map(), listeners: new Map() });
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/rpc`, ["runner.v1", `token.${this.token}`]);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.changed("open");
    };
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => this.closed();
  }

  async closed() {
    const lost = new Error("the connection to the runner broke off; whether the call was done is not known");
    for (const { refuse } of this.waiting.values()) refuse(lost);
    this.waiting.clear();
    const status = await fetch("/openrpc.json", { method: "HEAD", headers: { Authorization: `Bearer ${this.token}` } }).then((answer) => answer.status, () => 0);
    if (status === 401 || status === 403) return this.changed("refused");
    this.changed("closed");
    setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)]);
  }

  take(message) {
    if (message.method === "progress") this.waiting.get(message.params.id)?.told?.(message.params.text);
    if (message.id === undefined || message.id === null) {
      for (const listener of this.listeners.get(message.method) ?? []) listener(message.params);
      return;
    }
    const call = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) call?.refuse(new Refused(message.error));
    else call?.answer(message.result);
  }

  /** The result of a call; `told(text)`: how far it is. Throws Refused. */
  call(method, params = {}, told = undefined) {
    return new Promise((answer, refuse) => {
      if (this.socket.readyState !== WebSocket.OPEN) {
        refuse(new Error("there is no connection to the runner"));
        return;
      }
      this.waiting.set(++this.count, { answer, refuse, told });
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id: this.count, method, params }));
    });
  }

  /** `listener(params)` for each notification of a method, until the function it returns is called. */
  on(method, listener) {
    if (!this.listeners.has(method)) this.listeners.set(method, new Set());
    this.listeners.get(method).add(listener);
    return () => this.listeners.get(method).delete(listener);
  }
}
