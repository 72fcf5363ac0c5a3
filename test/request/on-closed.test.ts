// The end of a response, as cheaply as it can be told.
import { EventEmitter } from 'node:events'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { onClosed } from '../../lib/request/on-closed.js'

function createReply (fields: object = {}) {
  const raw = Object.assign(new EventEmitter(), { socket: {}, destroyed: false, writableFinished: false, headersSent: false, ...fields })
  const socket = Object.assign(new EventEmitter(), { destroyed: false, errored: null })
  return { raw, socket, reply: { raw, request: { raw: { socket } } } as unknown as FastifyReply }
}

t.test('a response tells of its end itself, with one listener', async (t) => {
  const { raw, reply } = createReply()
  let calls = 0
  onClosed(reply, () => { calls++ })
  t.strictSame(raw.eventNames(), ['close'])
  t.equal(calls, 0)
  raw.emit('close')
  t.equal(calls, 1)
})

t.test('a queued response without a socket is over with its connection', async (t) => {
  const { socket, reply } = createReply({ socket: null })
  let calls = 0
  onClosed(reply, () => { calls++ })
  socket.emit('close')
  t.equal(calls, 1)
})

t.test('a response that was destroyed before is over in the next tick', async (t) => {
  const { reply } = createReply({ destroyed: true })
  let calls = 0
  onClosed(reply, () => { calls++ })
  t.equal(calls, 0)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(calls, 1)
})

t.test('a response of HTTP/2 is over with its stream', async (t) => {
  const stream = Object.assign(new EventEmitter(), { destroyed: false, aborted: false, writableFinished: true, sentHeaders: {} })
  const { raw, reply } = createReply({ stream })
  let calls = 0
  onClosed(reply, () => { calls++ })
  t.strictSame(raw.eventNames(), [])
  stream.emit('close')
  t.equal(calls, 1)
})
