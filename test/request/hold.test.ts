// A delayed request in its place in the queue.
import { EventEmitter } from 'node:events'
import type { FastifyReply } from 'fastify'
import t from 'tap'
import { hold, holdUntilDue, saveReservation } from '../../lib/request/hold.js'
import type { DelayedRequest } from '../../lib/throttle/delay-queue.js'
import { CorrectedStore, createDecisionOf, createPolicy, createReceipt } from '../fixtures/decisions.js'

function delayed ({ isOpen = true, hasLeft = false } = {}) {
  const events: string[] = []
  const store = new CorrectedStore()
  const decision = createDecisionOf(createReceipt(), { store, policy: createPolicy({ scope: 'group:search' }) })
  decision.delayBy(1500)
  const entries: DelayedRequest[] = []
  const ticket = { cancel: () => !hasLeft }
  saveReservation(decision, {
    hold: (entry) => {
      if (!isOpen) return null
      entries.push(entry)
      return ticket
    },
    release: () => {}
  })
  const raw = Object.assign(new EventEmitter(), { socket: {}, destroyed: false, writableFinished: false, headersSent: false })
  const reply = { raw, request: { raw: { socket: { destroyed: false, errored: null } } } } as unknown as FastifyReply
  const start = () => { hold(decision, reply, () => { events.push('due') }, () => { events.push('close') }) }
  return { decision, entries, events, raw, start, store, ticket }
}

const REFUNDED = { 'app/default': -1 }

t.test('the requests of a client under one scope are held in order, each for its time', async (t) => {
  const { decision, entries, ticket } = delayed()
  t.equal(holdUntilDue(decision, () => {}, () => {}), ticket)
  t.match(entries, [{ dueInUs: 1500, orderKey: 'group:search ip:203.0.113.9' }])
  t.equal(holdUntilDue(createDecisionOf(createReceipt()), () => {}, () => {}), null, 'without a place')
})

t.test('a request that is due keeps its units', async (t) => {
  const { entries, events, start, store } = delayed()
  start()
  entries[0].onDue()
  t.strictSame(events, ['due'])
  t.strictSame(store.calls, [])
})

t.test('a queue that closes, or is closed, gives the units back', async (t) => {
  const open = delayed()
  open.start()
  t.strictSame(open.events, [])
  open.entries[0].onClose()
  const closed = delayed({ isOpen: false })
  closed.start()
  for (const { events, store } of [open, closed]) {
    t.strictSame(events, ['close'])
    t.strictSame(store.units, [REFUNDED])
    t.equal(store.calls[0][0].onlyIfLast, true)
  }
})

t.test('a client that leaves gets its units back, unless the request was due before', async (t) => {
  const leaves = delayed()
  leaves.start()
  leaves.raw.emit('close')
  t.strictSame(leaves.store.units, [REFUNDED])
  const late = delayed({ hasLeft: true })
  late.start()
  late.raw.emit('close')
  t.strictSame(late.store.calls, [])
})
