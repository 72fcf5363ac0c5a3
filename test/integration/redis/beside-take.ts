import type { Redis } from 'ioredis'
import { readFileSync } from 'node:fs'
import type { LeaseRequest } from '../../../lib/algorithms/lease.js'
import { luaFiles } from '../../../lib/stores/redis/lua-files.js'
import { composeScript } from '../../../lib/stores/redis/scripts.js'
import { CHARGE_BYTES, LEASE_REQUEST_BYTES, packLimit, writeCharge, writeLeaseRequest } from '../../../lib/stores/redis/wire-format.js'
import type { Limit } from '../../../lib/stores/store.js'

/** A charge of a bucket, by its number. `limit`: the place of its limit in the call, from 0 on. Default 0. */
export interface BatchCharge {
  readonly bucket: number
  readonly cost: number
  readonly lease?: LeaseRequest
  readonly limit?: number
}

/** A bucket before a call: hex, of a key with a TTL or without. */
export interface Before {
  readonly hex: string | null
  readonly isPersistent?: boolean
  readonly isList?: boolean
}

export interface Batch {
  readonly limits: readonly Limit[]
  /** An array of several is one check. */
  readonly checks: ReadonlyArray<BatchCharge | readonly BatchCharge[]>
  /** `null`: the clock of Redis. */
  readonly nowUs: number | null
  readonly fast: readonly Before[]
  readonly slow: readonly Before[]
  /** The bucket that cannot be written. */
  readonly refused?: number
  /** What the server has. Default: both. */
  readonly server?: 'clock' | 'clock replicate'
}

export interface Kept { readonly hex: string, readonly ttlMs: number }

export interface Outcome {
  readonly isFast: boolean
  readonly reply: string
  readonly error: string
  readonly isReplicating: boolean
  readonly kept: readonly Kept[]
}

const harness = readFileSync(new URL('beside-take.lua', import.meta.url), 'utf8')

/** The fast path and the script behind it, as two functions. */
function composeBoth (): string {
  const fast = [luaFiles.lease, luaFiles['take-token-buckets'], 'return false'].join('\n')
  const wrap = (name: string, lua: string) => `local function ${name} (KEYS, ARGV, redis)\n${lua}\nend\n`
  return wrap('fast', fast) + wrap('slow', composeScript(luaFiles.take).lua) + harness
}

function packCheck (check: readonly BatchCharge[]): Buffer {
  const packed = Buffer.alloc(1 + check.length * (CHARGE_BYTES + LEASE_REQUEST_BYTES))
  let at = packed.writeUInt8(check.length)
  for (const { limit = 0, cost, lease } of check) {
    at = writeCharge(packed, limit + 1, cost, lease !== undefined, at)
    if (lease !== undefined) at = writeLeaseRequest(packed, lease, at)
  }
  return packed.subarray(0, at)
}

function packBefore ({ hex, isPersistent = false, isList = false }: Before): Buffer {
  if (isList) return Buffer.from('L')
  return hex === null ? Buffer.alloc(0) : Buffer.concat([Buffer.from(isPersistent ? 'P' : 'K'), Buffer.from(hex, 'hex')])
}

type Reply = readonly [
  steps: number, reply: readonly [Buffer, Buffer], isReplicating: number, kept: ReadonlyArray<readonly [Buffer, number]>
]

function readOutcome ([steps, [reply, error], isReplicating, kept]: Reply): Outcome {
  return {
    isFast: steps === 1,
    reply: reply.toString('hex'),
    error: error.toString(),
    isReplicating: isReplicating === 1,
    kept: kept.map(([value, ttlMs]) => ({ hex: value.toString('hex'), ttlMs }))
  }
}

/** Runs batches on the fast path and beside it on `take.lua`. */
export class BesideTake {
  readonly #redis: Redis
  readonly #sha: unknown

  private constructor (redis: Redis, sha: unknown) {
    this.#redis = redis
    this.#sha = sha
  }

  static async load (redis: Redis): Promise<BesideTake> {
    return new BesideTake(redis, await redis.script('LOAD', composeBoth()))
  }

  /** Returns what both did. */
  async run ({ limits, checks, nowUs, fast, slow, refused, server = 'clock replicate' }: Batch): Promise<[fast: Outcome, slow: Outcome]> {
    const charges = checks.map((check) => 'cost' in check ? [check] : check)
    const args = [
      Buffer.concat(limits.map((limit) => packLimit(limit, nowUs ?? 0))),
      Buffer.concat(charges.map(packCheck)),
      nowUs === null ? '' : String(nowUs),
      Buffer.from(charges.flat().map(({ bucket }) => bucket + 1)),
      Buffer.from([refused === undefined ? 0 : refused + 1]),
      server,
      ...[...fast, ...slow].map(packBefore)
    ]
    const replies = await this.#redis.callBuffer('EVALSHA', String(this.#sha), 0, ...args) as readonly [Reply, Reply]
    return [readOutcome(replies[0]), readOutcome(replies[1])]
  }
}
