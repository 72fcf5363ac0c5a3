import type { Test } from 'tap'
import { run, parseSnippets } from './snippets.js'

/** Time stands still, so that the refusal is the page's however slow the machine. */
const clock = { nowUs: () => 0 }

/** Starts the server that a page begins with, and holds its sixth login to the refusal that the page shows. */
export async function assertRefusal (t: Test, page: string, heading: string): Promise<void> {
  const [{ code }] = parseSnippets(page).filter((snippet) => snippet.heading === heading)
  const app = await run(code, undefined, {}, clock)
  t.teardown(() => app.close())
  const address = app.server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  t.equal((await fetch(url)).headers.get('x-ratelimit-limit'), '100')
  let response = await fetch(`${url}/login`, { method: 'POST' })
  for (let i = 0; i < 5; i++) response = await fetch(`${url}/login`, { method: 'POST' })
  const [, head, body] = /```http\n([\s\S]*?)\n\n([\s\S]*?)\n```/.exec(page) ?? []
  const [status, ...headers] = head.split('\n')
  t.equal(`HTTP/1.1 ${response.status} ${response.statusText}`, status)
  for (const line of headers) {
    const [name, value] = line.split(': ')
    t.equal(response.headers.get(name), value, name)
  }
  const shown = JSON.parse(body)
  t.match(await response.json(), { ...shown, instance: /^req-/ })
}
