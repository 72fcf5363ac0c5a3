import type { SchemaOptions } from '@sinclair/typebox'
import type { CostFunction } from './functions.js'
import { Callback, StringEnum } from './option-types.js'
import { Type } from './type-builder.js'

/** Units that a request takes, from all limits of a policy or from one of them. */
const Cost = (meta: SchemaOptions) => Type.Union([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Callback<CostFunction>({ expected: 'a function' })
], { ...meta, expected: 'an integer of 0 or more, or a function' })

export const PolicyCost = Cost({
  default: 1,
  description: 'Units that a request takes. A function receives the request and may return a promise; its result is rounded up. ' +
    'A result that is late, or not a number of 0 or more, counts as 1 and is logged. An entry of `limits` may have its own.'
})

export const LimitCost = Cost({ description: 'Units that a request takes from this limit. Default: the `cost` of the policy.' })

export const OnUnsettled = StringEnum(['count', 'refund'], {
  default: 'count',
  description: 'What happens to the units of a request that is not settled when its response ends: ' +
    'they count as used (`count`), or are refunded (`refund`).'
})
