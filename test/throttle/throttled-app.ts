import { mock } from 'node:test'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, MS, type TestApp } from '../fixtures/app.js'

/** One request under way. */
export interface Pending {
  /** Its answer, as far as there is one. */
  readonly answer: LightMyRequestResponse | null
  /** Resolved by the answer; rejected when the client left. */
  readonly ended: Promise<LightMyRequestResponse>
  /** The client leaves. */
  abort (): Promise<void>
}

export interface ThrottledApp extends TestApp {
  /** Send a request, and wait until it is answered or held. */
  send (request?: InjectOptions): Promise<Pending>
  /** Let time pass, for the clock and the timers, in steps of a millisecond at most. */
  advance (ms: number): Promise<void>
}

/** The turns of the event loop in which an injected request gets as far as it can. */
const TURNS = 8

export async function waitTurns (): Promise<void> {
  for (let i = 0; i < TURNS; i++) await new Promise((resolve) => { setImmediate(resolve) })
}

/** An application over a clock and timers that stand still until they are told otherwise. */
export async function createThrottledApp (t: Test, options: RateLimitOptions): Promise<ThrottledApp> {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const parts = await limitedApp(t, options)
  return {
    ...parts,
    async send (request = {}) {
      const pending = startRequest(parts, request)
      await waitTurns()
      return pending
    },
    async advance (ms) {
      for (let left = ms; left > 0; left -= 1) {
        parts.clock.advance(Math.round(Math.min(left, 1) * MS))
        mock.timers.tick(1)
      }
      await waitTurns()
    }
  }
}

export function startRequest ({ app }: TestApp, request: InjectOptions): Pending {
  const aborter = new AbortController()
  let answer: LightMyRequestResponse | null = null
  const ended = app.inject({ url: '/', signal: aborter.signal, ...request })
  ended.then((response) => { answer = response }, () => {})
  return {
    get answer () { return answer },
    ended,
    async abort () {
      aborter.abort()
      await waitTurns()
    }
  }
}
