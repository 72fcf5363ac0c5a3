import type { FastifyRequest } from 'fastify'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import { NO_FAULTS } from '../../lib/common/log.js'
import type { Client } from '../../lib/model/client.js'
import type { Concurrency } from '../../lib/policies/policy.js'
import { Decider } from '../../lib/request/decide.js'
import type { DeciderContext } from '../../lib/request/limiter-context.js'
import type { Answer, Charge, Receipt, Standing } from '../../lib/stores/store.js'
import type { Reservation } from '../../lib/throttle/delay-queue.js'
import { ADDRESS, CorrectedStore, createReceipt, createSlotLimit, createStanding, IP_CLIENT } from '../fixtures/decisions.js'
import { ManualClock } from '../fixtures/manual-clock.js'

/** A store that answers as told, and keeps what it was asked to take. */
export class AnsweringStore extends CorrectedStore {
  readonly taken: string[][] = []
  answer: (charges: readonly Charge[]) => Answer | Promise<Answer> = grant

  override take (charges: readonly Charge[]): Answer | Promise<Answer> {
    this.taken.push(charges.map(({ limit, partition, cost }) => `${limit.name} ${partition} ${cost}`))
    return this.answer(charges)
  }
}

export function grant (charges: readonly Charge[]): Receipt {
  return answerWith(charges, ({ cost }) => ({ charged: cost }))
}

export function refuse (charges: readonly Charge[]): Receipt {
  return answerWith(charges, () => ({ granted: false, charged: 0, remaining: 0, retryUs: 1000 }))
}

/** Grants the rates, and refuses the slot. */
export function refuseSlotOnly (charges: readonly Charge[]): Receipt {
  return answerWith(charges, ({ limit }) => limit.algorithm === 'concurrency' ? { granted: false, charged: 0, remaining: 0 } : { charged: 0 })
}

export function answerWith (charges: readonly Charge[], toFields: (charge: Charge) => Partial<Standing>): Receipt {
  return createReceipt(charges.map((charge) => createStanding(charge.limit, { partition: charge.partition, ...toFields(charge) })))
}

/** A request of an address, in the way that a decider sees it. */
export function createRequest (fields: object = {}): FastifyRequest {
  return { rateLimit: null, raw: { socket: { remoteAddress: ADDRESS, destroyed: false } }, routeOptions: {}, ...fields } as unknown as FastifyRequest
}

/** A decider whose services do what a test tells them, and note what they are asked. */
export function createDecider (parts: Partial<Record<keyof DeciderContext, unknown>> = {}) {
  const store = new AnsweringStore()
  const local = new AnsweringStore()
  const notes: unknown[][] = []
  const note = (name: string) => (...given: unknown[]) => { notes.push([name, ...given]) }
  const activity = { fallbacks: 0 }
  const reservation: Reservation = {
    hold: () => null,
    release: note('release')
  }
  const context = {
    identifier: { identify: () => IP_CLIENT, identifyByAddress: () => IP_CLIENT, getAddress: () => ADDRESS, deadlineMs: 100 },
    exemptions: null,
    tiers: { normalize: (client: Client) => ({ ...client, tier: client.tier === 'unknown' ? 'standard' : client.tier }) },
    store,
    local,
    findKnownBlock: () => null,
    delayQueue: {
      reserve: (...given: unknown[]) => {
        notes.push(['reserve', ...given])
        return reservation
      }
    },
    metrics: { countFallback: note('fallback'), observeDelay: note('delay') },
    activity,
    recorder: null,
    faults: NO_FAULTS,
    ...parts
  } as unknown as DeciderContext
  return { decider: new Decider(context, true), context, store, local, notes, activity }
}

export function createConcurrency (queue: Concurrency['queue'] = null): Concurrency {
  return { limit: createSlotLimit(), scope: 'default', usage: new SlotUsage('default', new ManualClock()), queue }
}
