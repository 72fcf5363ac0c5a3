import type { Static } from '@sinclair/typebox'
import { parseJson } from '../../common/parse-json.js'
import { Type } from '../../config/schema/type-builder.js'
import { findSchemaErrors } from '../../config/schema/schema-errors.js'
import { isTrafficSummary, type TrafficSummary } from '../../observability/traffic/traffic-summary.js'
import type { InstanceState } from './page-state.js'

/** Raise it with every change that other versions cannot read. They then skip the summary. */
const VERSION = 1

const MAX_TIME_MS = 8_640_000_000_000_000
const MAX_ERROR_LENGTH = 500

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Estimate = Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Time = Type.Integer({ minimum: 0, maximum: MAX_TIME_MS })
const Word = Type.String({ maxLength: 200 })
const Duration = Type.Number({ minimum: 0, maximum: 1_000_000 })

const InstanceSchema = Type.Object({
  id: Word,
  host: Word,
  pid: Count,
  version: Word,
  startedAtMs: Time,
  seenAtMs: Time,
  enabled: Type.Boolean(),
  configured: Type.Boolean(),
  store: Type.Object({
    kind: Word,
    isReachable: Type.Union([Type.Boolean(), Type.Null()]),
    breaker: Type.Union([Type.Literal('closed'), Type.Literal('open'), Type.Literal('half-open'), Type.Null()]),
    latencyMs: Type.Union([Type.Object({ p50: Duration, p99: Duration }, { additionalProperties: false }), Type.Null()]),
    errors: Count,
    fallbacks: Count
  }, { additionalProperties: false }),
  reload: Type.Union([
    Type.Object({
      atMs: Time, isApplied: Type.Boolean(), error: Type.Union([Type.String({ maxLength: MAX_ERROR_LENGTH }), Type.Null()])
    }, { additionalProperties: false }),
    Type.Null()
  ])
}, { additionalProperties: false })

/** Bounds only: more than an instance writes. `isTrafficSummary` checks the form. */
const TrafficBounds = Type.Object({
  step: Count,
  sampled: Count,
  series: Type.Array(Type.Array(Type.String()), { maxItems: 32 }),
  limits: Type.Array(Type.Array(Type.Unknown()), { maxItems: 128 }),
  clients: Type.Array(Type.Array(Type.Union([Type.String({ maxLength: 1000 }), Estimate])), { maxItems: 256 })
})

const SummarySchema = Type.Object({
  version: Type.Literal(VERSION), instance: InstanceSchema, traffic: TrafficBounds
}, { additionalProperties: false })

/** What one instance publishes: its state, and what it has counted. */
export interface InstanceSummary {
  readonly instance: InstanceState
  readonly traffic: TrafficSummary
}

export function formatSummary ({ instance, traffic }: InstanceSummary): string {
  return JSON.stringify({ version: VERSION, instance, traffic })
}

/** Parse a text from Redis, where others may write. `null` for one of another version, or damaged. */
export function parseSummary (text: string, id: string): InstanceSummary | null {
  const summary = parseJson(text)
  if (!isSummary(summary) || summary.instance.id !== id || !isTrafficSummary(summary.traffic)) return null
  return { instance: summary.instance, traffic: summary.traffic }
}

function isSummary (value: unknown): value is Static<typeof SummarySchema> {
  return findSchemaErrors(SummarySchema, value).next().done === true
}
