import { connect, type Socket } from 'node:net'

/** An answer as text. Status 0: there was none. */
export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

const NONE: Answer = { status: 0, head: '', body: '' }
/** Longer than any answer may take, also from a process that is stopped for some time. */
const LONGEST_MS = 20_000
const HEAD_END = '\r\n\r\n'

/** A connection for one request at a time. It does less than the client of Node, so that the load costs less than the service. */
export class Connection {
  readonly port: number
  readonly #socket: Socket
  #text = ''
  #settle: ((answer: Answer) => void) | null = null
  #isClosed = false

  constructor (port: number) {
    this.port = port
    this.#socket = connect(port, '127.0.0.1').setNoDelay().setEncoding('latin1')
    this.#socket.on('data', (text: string) => {
      this.#text += text
      this.#read()
    })
    this.#socket.on('error', () => {}).on('close', () => { this.#close() })
  }

  get isClosed (): boolean { return this.#isClosed }

  async ask (path: string, headers: Readonly<Record<string, string | number>>): Promise<Answer> {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const timer = setTimeout(() => { this.close() }, LONGEST_MS)
    try {
      return await new Promise((resolve) => {
        if (this.#isClosed) {
          resolve(NONE)
          return
        }
        this.#settle = resolve
        this.#socket.write(`GET ${path} HTTP/1.1\r\nhost: service\r\n${fields}\r\n`)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  close (): void {
    this.#socket.destroy()
  }

  #read (): void {
    const end = this.#text.indexOf(HEAD_END)
    if (end < 0) return
    const head = this.#text.slice(0, end)
    const length = Number(readField(head, 'content-length') ?? 0)
    const bodyAt = end + HEAD_END.length
    if (this.#text.length < bodyAt + length) return
    const body = this.#text.slice(bodyAt, bodyAt + length)
    this.#text = this.#text.slice(bodyAt + length)
    this.#finish({ status: Number(head.slice(9, 12)), head, body })
  }

  #close (): void {
    this.#isClosed = true
    this.#finish(NONE)
  }

  #finish (answer: Answer): void {
    const settle = this.#settle
    this.#settle = null
    settle?.(answer)
  }
}

/** The value of a header field, if it is there. Fastify writes the names in small letters. */
export function readField (head: string, name: string): string | null {
  const at = head.indexOf(`\r\n${name}: `)
  if (at < 0) return null
  const start = at + name.length + 4
  const end = head.indexOf('\r\n', start)
  return head.slice(start, end < 0 ? undefined : end)
}
