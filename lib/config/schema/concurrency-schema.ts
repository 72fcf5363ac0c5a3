import type { SchemaOptions, Static } from '@sinclair/typebox'
import { Duration, IntegerRange, StringEnum } from './option-types.js'
import { Type } from './type-builder.js'

const ConcurrencyQueueSchema = Type.Object({
  maxWaiting: Type.Optional(IntegerRange(1, 1_000_000, {
    default: 100, description: 'Requests of one partition that may wait in this process.'
  })),
  maxWait: Type.Optional(Duration({ default: '1s', description: 'The longest time that a request waits for a slot.' }))
}, { additionalProperties: false })

const ConcurrencySchema = Type.Object({
  max: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 1_000_000 }), Type.Literal('adaptive')], {
    expected: 'an integer from 1 to 1000000, or "adaptive"',
    description: 'Requests of one partition that may be in flight at once. `\'adaptive\'`: of all clients together in this process, ' +
      'as many as latency allows.'
  })),
  min: Type.Optional(IntegerRange(1, 1_000_000, { default: 1, description: 'The lowest number that `adaptive` may find.' })),
  limit: Type.Optional(IntegerRange(1, 1_000_000, { default: 200, description: 'The highest number that `adaptive` may find.' })),
  by: Type.Optional(StringEnum(['client', 'ip', 'user', 'global'], {
    default: 'client', description: 'Whose requests are counted, as for limits. `user` does not apply to unidentified clients.'
  })),
  mode: Type.Optional(StringEnum(['enforce', 'shadow'], {
    description: '`shadow` counts and decides, but never refuses. Default: the `mode` of the policy.'
  })),
  lease: Type.Optional(Duration({
    default: '10s',
    description: 'With Redis: how long the slots of a process count that was killed or paused. 1 second to 1 hour.'
  })),
  queue: Type.Optional(Type.Union([Type.Literal(false), ConcurrencyQueueSchema], {
    default: false,
    expected: 'false, or an object: { maxWaiting?, maxWait? }',
    description: 'Hold a request until a slot is free instead of refusing it, for at most `maxWait` (1s). ' +
      'At most `maxWaiting` (100) requests of one partition wait in a process.'
  }))
}, { additionalProperties: false })

/** Requests in flight: in a policy, and in a tier. */
export const Concurrency = (meta: SchemaOptions = {}) => Type.Union([Type.Literal(false), ConcurrencySchema], {
  ...meta,
  expected: 'false, or an object: { max, min?, limit?, by?, mode?, lease?, queue? }',
  description: 'At most `max` requests of one partition in flight at once, in addition to the limits by rate. ' +
    '`{ max: 10, by: \'client\', queue: { maxWaiting: 100, maxWait: \'1s\' } }`. ' +
    '`{ max: \'adaptive\', min: 1, limit: 200 }` finds the number.'
})

/** Which tier is shed last. */
export const Priority = IntegerRange(0, 9, {
  default: 0,
  description: 'Of an adaptive `concurrency`, the requests of tiers with a lower number are refused first.'
})

/** The option `concurrency`. */
export type ConcurrencyOptions = Static<ReturnType<typeof Concurrency>>
