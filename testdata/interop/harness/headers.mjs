// Headers of a request over the websocket: lines of "name: value".
export function headerOf(request, name) {
  for (const line of request.headers ?? []) {
    const at = line.indexOf(':');
    if (line.slice(0, at).trim().toLowerCase() === name) return line.slice(at + 1).trim();
  }
  return undefined;
}
