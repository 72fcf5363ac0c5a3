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
  max: Type.Optional(IntegerRange(1, 1_000_000, { description: 'Requests of one partition that may be in flight at once.' })),
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
  expected: 'false, or an object: { max, by?, mode?, lease?, queue? }',
  description: 'At most `max` requests of one partition in flight at once, in addition to the limits by rate. ' +
    '`{ max: 10, by: \'client\', queue: { maxWaiting: 100, maxWait: \'1s\' } }`'
})

/** The option `concurrency`. */
export type ConcurrencyOptions = Static<ReturnType<typeof Concurrency>>
