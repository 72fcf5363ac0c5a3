/*
 * Just enough of node:http's request and response for Fastify's router, its hooks and its reply. What a request
 * costs here is Fastify and the contestant; parsing and sockets, which would be nine tenths, are left out.
 */

export class FakeSocket {
  writable = true
  destroyed = false

  constructor (remoteAddress) {
    this.remoteAddress = remoteAddress
  }

  on () { return this }
  once () { return this }
  removeListener () { return this }
}

export class FakeRequest {
  method = 'GET'
  url = '/'
  httpVersionMajor = 1
  headers = { host: 'localhost', connection: 'keep-alive' }

  constructor (socket) {
    this.socket = socket
  }

  on () { return this }
  once () { return this }
}

export class FakeResponse {
  statusCode = 200
  headersSent = false
  writableEnded = false
  /** The only listener that a contestant adds. */
  #onClose = null
  #whenEnded

  constructor (whenEnded) {
    this.#whenEnded = whenEnded
  }

  setHeader () { return this }
  getHeader () {}
  hasHeader () { return false }

  writeHead (statusCode) {
    this.statusCode = statusCode
    this.headersSent = true
    return this
  }

  end () {
    this.writableEnded = true
    this.#onClose?.()
    this.#whenEnded(this)
  }

  on (event, listener) {
    if (event === 'close') this.#onClose = listener
    return this
  }

  once (event, listener) { return this.on(event, listener) }
  removeListener () { return this }
}
