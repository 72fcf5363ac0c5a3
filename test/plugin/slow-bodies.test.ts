// Clients that send a body byte by byte, and reset. At onRequest the headers decide; at preHandler the whole body comes first.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { limitedApp } from '../fixtures/app.js'
import { until } from '../fixtures/until.js'

const BODY = '{"name":"somebody"}'
const HEAD = `POST /form HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n`

async function createForm (t: Test, hook: 'onRequest' | 'preHandler') {
  const { app, log } = await limitedApp(t, { max: 3, timeWindow: '1 hour', hook })
  let handled = 0
  app.post('/form', async () => ++handled)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  async function open (): Promise<Socket> {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => { socket.destroy() })
    await once(socket, 'connect')
    return socket
  }

  async function readRemaining (): Promise<number> {
    return (await app.rateLimit.peek('ip:127.0.0.1'))[0].remaining
  }

  return { app, log, open, readRemaining, countHandled: () => handled }
}

/** One byte in each turn, up to a part of the body. */
async function sendBytes (socket: Socket, count: number): Promise<void> {
  for (const byte of BODY.slice(0, count)) {
    socket.write(byte)
    await new Promise(setImmediate)
  }
}

async function readStatus (socket: Socket): Promise<string> {
  const [chunk] = await once(socket, 'data')
  return String(chunk).slice(9, 12)
}

t.test('at onRequest a slow body is charged by its headers, and refused without it', async (t) => {
  const { open, readRemaining, countHandled } = await createForm(t, 'onRequest')
  for (let left = 2; left >= 0; left--) {
    const socket = await open()
    socket.write(HEAD)
    await until('the charge', 20_000, async () => await readRemaining() === left)
    await sendBytes(socket, 5)
    socket.resetAndDestroy()
  }
  const late = await open()
  late.write(HEAD)
  t.equal(await readStatus(late), '429', 'no byte of the body was sent')
  t.equal(await readRemaining(), 0, 'a reset gives nothing back')
  t.equal(countHandled(), 0)
})

t.test('at preHandler a body that never ends is charged when its connection is reset', async (t) => {
  const { log, open, readRemaining, countHandled } = await createForm(t, 'preHandler')
  const slow = await Promise.all(Array.from({ length: 3 }, open))
  for (const socket of slow) socket.write(HEAD)
  await Promise.all(slow.map((socket) => sendBytes(socket, 5)))
  t.equal(await readRemaining(), 3, 'not yet')
  const fourth = await open()
  const answer = readStatus(fourth)
  fourth.write(HEAD)
  t.equal(await answer, '429', 'requests on their way to the hook count')
  for (const socket of slow) socket.resetAndDestroy()
  await until('the resets are charged', 20_000, async () => await readRemaining() === 0)
  const fifth = await open()
  const later = readStatus(fifth)
  fifth.write(HEAD)
  t.equal(await later, '429')
  t.equal(countHandled(), 0)
  t.strictSame(log, [])
})

t.test('at preHandler a slow body is charged once, when it is complete', async (t) => {
  const { open, readRemaining, countHandled } = await createForm(t, 'preHandler')
  const answers: string[] = []
  for (let i = 0; i < 4; i++) {
    const socket = await open()
    const answer = readStatus(socket)
    socket.write(HEAD)
    if (i < 3) {
      await sendBytes(socket, BODY.length - 1)
      t.equal(await readRemaining(), 3 - i, 'the last byte is missing')
      socket.write(BODY.slice(-1))
    }
    answers.push(await answer)
  }
  t.strictSame(answers, ['200', '200', '200', '429'])
  t.equal(countHandled(), 3)
})
