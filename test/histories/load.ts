// Clients over HTTP: greedy ones, in phases, and polite ones that wait as long as they are asked to.
import { Seeded } from '../fixtures/seeded.js'
import { sleep } from '../fixtures/until.js'
import { Connection, readField, type Answer } from './connection.js'
import type { Decision, HistoryWriter } from './history.js'
import type { Instances } from './instances.js'
import { POLICIES, type PolicyUnderLoad } from './policies.js'

export interface LoadOptions {
  readonly seed: number
  readonly slots: number
  readonly instances: Instances
  readonly writer: HistoryWriter
  /** Microseconds since the begin of the history. */
  readonly nowUs: () => number
  /** The begin of the history by the clock of the machine. */
  readonly beginUs: number
  readonly ratePerSecond: number
  readonly connectionsPerSlot: number
  /** Only requests under this policy. */
  readonly only?: string
}

interface Ask {
  readonly policy: number
  readonly client: string
  readonly cost: number
  readonly slowMs: number
}

/** A greedy client asks in some of these phases, and rests in the others, so that its bucket gets full. */
const PHASE_US = 700_000
const RESTING_IN_TEN = 4
const POLITE_CLIENTS = 2
const PACED_PER_SLOT = 3
/** How long to wait for an instance, or after an answer without a limit. */
const PAUSE_MS = 20

export class Load {
  readonly #options: LoadOptions
  readonly #loops: Array<Promise<void>> = []
  #isOver = false
  readonly #startUs: number
  #sent = 0

  constructor (options: LoadOptions) {
    this.#options = options
    this.#startUs = options.nowUs()
    const { slots, connectionsPerSlot, seed } = options
    for (let i = 0; i < slots * connectionsPerSlot; i++) this.#loops.push(this.#beGreedy(i % slots, new Seeded(seed + 1000 + i)))
    for (const [policy, { isPolite = false, paced, promise }] of POLICIES.entries()) {
      if (!isOfLoad(promise.name, options)) continue
      const clients = isPolite ? POLITE_CLIENTS : 0
      for (let i = 0; i < clients; i++) this.#loops.push(this.#bePolite(policy, i, new Seeded(seed + 2000 + policy * POLITE_CLIENTS + i)))
      const connections = paced === undefined ? 0 : slots * PACED_PER_SLOT
      for (let i = 0; i < connections; i++) this.#loops.push(this.#bePaced(policy, i % slots, paced ?? []))
    }
  }

  /** Send no more, and wait for the answers. */
  async stop (): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  async #beGreedy (slot: number, random: Seeded): Promise<void> {
    const visitor = new Visitor(this.#options, slot)
    const shares = POLICIES.flatMap(({ weight, promise }, policy) => Array.from({ length: isOfLoad(promise.name, this.#options) ? weight : 0 }, () => policy))
    while (!this.#isOver) {
      await this.#pace()
      const ask = this.#drawGreedy(shares, random)
      if (ask === null || await visitor.ask(ask) === null) await sleep(PAUSE_MS)
    }
    visitor.close()
  }

  /** A request of a client that does not rest; `null` if none was found. */
  #drawGreedy (shares: readonly number[], random: Seeded): Ask | null {
    for (let attempt = 0; attempt < 10; attempt++) {
      const policy = random.pick(shares)
      const ask = drawAsk(policy, `greedy-${random.nextInt(POLICIES[policy].greedy)}`, random)
      if (!this.#isResting(ask)) return ask
    }
    return null
  }

  /** One request at a time, by one client: so its wait is spoilt by no other request. */
  async #bePolite (policy: number, number: number, random: Seeded): Promise<void> {
    const visitors = Array.from({ length: this.#options.slots }, (_, slot) => new Visitor(this.#options, slot))
    let ask = drawAsk(policy, `polite-${number}`, random)
    while (!this.#isOver) {
      const decision = await random.pick(visitors).ask(ask)
      if (decision?.status === 429) {
        for (let leftMs = decision.retryAfter * 1000 + 2; leftMs > 0 && !this.#isOver; leftMs -= 100) await sleep(Math.min(leftMs, 100))
        continue
      }
      if (decision === null || decision.status !== 200) await sleep(PAUSE_MS)
      ask = drawAsk(policy, ask.client, random)
    }
    for (const visitor of visitors) visitor.close()
  }

  /** One of several connections of a client whose pace changes. */
  async #bePaced (policy: number, slot: number, phases: ReadonlyArray<readonly [ms: number, perSecond: number]>): Promise<void> {
    const visitor = new Visitor(this.#options, slot)
    const ask: Ask = { policy, client: 'paced-0', cost: 1, slowMs: 0 }
    const share = this.#options.slots * PACED_PER_SLOT
    let dueUs = this.#options.nowUs()
    while (!this.#isOver) {
      const nowUs = this.#options.nowUs()
      const perSecond = findPace(phases, (nowUs - this.#startUs) / 1000)
      if (perSecond === 0 || nowUs < dueUs) {
        await sleep(perSecond === 0 ? PAUSE_MS : Math.min(PAUSE_MS, (dueUs - nowUs) / 1000))
        continue
      }
      // Those that are due and were not sent are left out.
      dueUs = Math.max(dueUs, nowUs - PAUSE_MS * 1000) + share / perSecond * 1_000_000
      if (await visitor.ask(ask) === null) await sleep(PAUSE_MS)
    }
    visitor.close()
  }

  /** No faster than the rate, all clients together. */
  async #pace (): Promise<void> {
    const { ratePerSecond, nowUs, writer } = this.#options
    this.#sent++
    const aheadMs = this.#sent / ratePerSecond * 1000 - (nowUs() - this.#startUs) / 1000
    if (aheadMs > 1) await sleep(aheadMs)
    await writer.drain()
  }

  #isResting ({ policy, client }: Ask): boolean {
    const phase = Math.floor(this.#options.nowUs() / PHASE_US)
    const number = Number(client.slice(client.indexOf('-') + 1))
    return new Seeded(this.#options.seed + phase * 7919 + policy * 104_729 + number * 1_299_709).nextInt(10) < RESTING_IN_TEN
  }
}

function findPace (phases: ReadonlyArray<readonly [ms: number, perSecond: number]>, atMs: number): number {
  let leftMs = atMs % phases.reduce((sum, [ms]) => sum + ms, 0)
  for (const [ms, perSecond] of phases) {
    if (leftMs < ms) return perSecond
    leftMs -= ms
  }
  return 0
}

function isOfLoad (name: string, { only = name }: LoadOptions): boolean {
  return only === name
}

function drawAsk (policy: number, client: string, random: Seeded): Ask {
  const { costs = [1], slowMs = 0 }: PolicyUnderLoad = POLICIES[policy]
  return { policy, client, cost: random.pick(costs), slowMs: slowMs > 0 && random.nextInt(10) === 0 ? random.nextInt(slowMs) : 0 }
}

/** Visits one slot over one connection, and writes down what it sees. */
class Visitor {
  readonly #options: LoadOptions
  readonly #slot: number
  #connection: Connection | null = null

  constructor (options: LoadOptions, slot: number) {
    this.#options = options
    this.#slot = slot
  }

  /** `null`: there is no instance. */
  async ask (ask: Ask): Promise<Decision | null> {
    const { instances, nowUs, writer } = this.#options
    const instance = instances.at(this.#slot)
    if (instance === null) return null
    if (this.#connection === null || this.#connection.isClosed || this.#connection.port !== instance.port) {
      this.#connection?.close()
      this.#connection = new Connection(instance.port)
    }
    const sentUs = nowUs()
    const answer = await this.#connection.ask(`/${POLICIES[ask.policy].promise.name}`, {
      'x-client': ask.client, 'x-cost': ask.cost, ...ask.slowMs > 0 ? { 'x-slow': ask.slowMs } : {}
    })
    const decision = toDecision(answer, ask, { instance: instance.number, sentUs, receivedUs: nowUs(), beginUs: this.#options.beginUs })
    writer.decision(decision)
    return decision
  }

  close (): void {
    this.#connection?.close()
  }
}

interface Times {
  readonly instance: number
  readonly sentUs: number
  readonly receivedUs: number
  readonly beginUs: number
}

function toDecision ({ status, head, body }: Answer, { policy, client, cost, slowMs }: Ask, { instance, sentUs, receivedUs, beginUs }: Times): Decision {
  const [fromUs, untilUs] = readField(head, 'x-decided')?.split(',').map((text) => Number(text) - beginUs) ?? [sentUs, receivedUs]
  const names = /"violated-policies":\[([^\]]*)\]/.exec(body)?.[1] ?? ''
  const { limits } = POLICIES[policy].promise
  return {
    instance,
    policy,
    client,
    status,
    refusal: toRefusal(status, body),
    fromUs: Math.max(sentUs, fromUs),
    untilUs: Math.min(receivedUs, untilUs),
    waitUs: receivedUs - sentUs - slowMs * 1000,
    cost,
    retryAfter: Number(readField(head, 'retry-after') ?? -1),
    remaining: Number(readField(head, 'x-ratelimit-remaining') ?? -1),
    violated: limits.reduce((bits, { name }, i) => names.includes(`"${name}"`) ? bits | 1 << i : bits, 0)
  }
}

function toRefusal (status: number, body: string): Decision['refusal'] {
  if (status === 0 || status === 200) return 'none'
  if (status === 429 && body.includes('#quota-exceeded')) return 'quota'
  if (status === 429 && body.includes('#abnormal-usage-detected')) return 'blocked'
  return status === 503 && body.includes('#temporary-reduced-capacity') ? 'unavailable' : 'other'
}
