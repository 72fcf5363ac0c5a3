import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import fastifyCors from '@fastify/cors'
import fastifyJwt from '@fastify/jwt'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { RateLimitError } from '../../lib/index.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import type { Clock } from '../../lib/common/clock.js'
import { ManualClock } from '../fixtures/manual-clock.js'

/** The folder of the repository, in which tap runs the tests. */
export const root = pathToFileURL(`${process.cwd()}/`)

/** A JavaScript block of a page, and the heading that it stands under. */
export interface Snippet {
  readonly heading: string
  readonly code: string
}

/** The text of a page, by its path. */
export function readPage (path: string): string {
  return readFileSync(new URL(path, root), 'utf8')
}

/** The JavaScript blocks of a page, in order. */
export function parseSnippets (page: string): Snippet[] {
  const parts = page.matchAll(/^#+ (.+)$|^```js\n([\s\S]*?)^```$/gm)
  const snippets: Snippet[] = []
  let heading = ''
  for (const [, title, code] of parts) {
    if (title !== undefined) heading = title
    else snippets.push({ heading, code })
  }
  return snippets
}

/** What a snippet takes for granted: its own application, and functions of the reader's. */
export type SnippetScope = Readonly<Record<string, unknown>>

/** Runs a snippet as the body of a function; what it imports is handed in. Answers its `app`, which may be its own. */
export async function run (code: string, app: FastifyInstance | undefined, given: SnippetScope = {}, clock: Clock = new ManualClock()): Promise<FastifyInstance> {
  const names: SnippetScope = { Fastify, rateLimitPlugin: buildRateLimitPlugin(clock), RateLimitError, cors: fastifyCors, jwt: fastifyJwt, app, ...given }
  const body = code.replace(/^import .*$/gm, '').replace('const app = ', 'app = ').replace('port: 3000', 'port: 0')
  // eslint-disable-next-line no-new-func
  return await new Function(...Object.keys(names), `return (async () => { ${body}\nreturn app })()`)(...Object.values(names))
}

/**
 * An application that a page's snippets under one heading have made, ready to be asked. Where they do not register the plugin, it is
 * there with 100 a minute.
 */
export async function createSnippetApp (t: Test, page: string, heading: string, given: SnippetScope = {}, clock: Clock = new ManualClock()): Promise<FastifyInstance> {
  const codes = parseSnippets(page).filter((snippet) => snippet.heading === heading).map(({ code }) => code)
  if (codes.length === 0) throw new Error(`no snippet under "${heading}"`)
  let app: FastifyInstance = Fastify()
  t.teardown(() => app.close())
  if (!codes.some((code) => code.includes('register(rateLimitPlugin'))) await app.register(buildRateLimitPlugin(clock), { max: 100, timeWindow: '1 minute' })
  for (const code of codes) app = await run(code, app, given, clock)
  await app.ready()
  return app
}
