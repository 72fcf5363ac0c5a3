import { FakeRequest, FakeResponse } from './exchange.js'

/** Requests that arrive in one turn of the event loop: some hooks answer later, and never have a million waiting. */
const AT_ONCE = 16

/** Send requests through an application, one for each of the sockets, and wait for all answers. */
export async function drive (app, sockets) {
  let waiting = 0
  let refused = 0
  let whenIdle = null

  function ended (response) {
    if (response.statusCode !== 200) refused++
    if (--waiting === 0 && whenIdle !== null) whenIdle()
  }

  for (let sent = 0; sent < sockets.length;) {
    const end = Math.min(sent + AT_ONCE, sockets.length)
    waiting = end - sent
    whenIdle = null
    while (sent < end) app.routing(new FakeRequest(sockets[sent++]), new FakeResponse(ended))
    if (waiting > 0) await new Promise((resolve) => { whenIdle = resolve })
  }
  return refused
}
