import { Duration, IntegerRange } from './option-types.js'
import { Type } from './type-builder.js'

export const PenaltySchema = Type.Object({
  strikes: Type.Optional(IntegerRange(1, 1_000_000, {
    default: 5, description: 'Refusals in the time `within` that block the client.'
  })),
  within: Type.Optional(Duration({
    default: '10 minutes',
    description: 'The time in which refusals are counted. Each such time without a refusal lowers the next block by one step.'
  })),
  cooldown: Type.Optional(Duration({ default: '1 minute', description: 'Duration of the first block.' })),
  factor: Type.Optional(Type.Number({
    minimum: 1,
    maximum: 1000,
    default: 2,
    expected: 'a number from 1 to 1000',
    description: 'Each further block lasts this many times as long.'
  })),
  maxCooldown: Type.Optional(Duration({ default: '1 hour', description: 'The longest duration of a block.' }))
}, { additionalProperties: false })
