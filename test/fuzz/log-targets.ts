// The lines of access logs, in every format that the simulator reads.
import { LogEntries } from '../../lib/cli/simulate/log/log-entries.js'
import { findCost, type LogEntry } from '../../lib/cli/simulate/log/log-entry.js'
import { LineSplitter } from '../../lib/cli/simulate/log/split-lines.js'
import { hostileBytes } from './hostile.js'
import { hold, type Target } from './target.js'

const LOGS = [
  '203.0.113.9 - - [31/Jan/2026:13:05:06 +0000] "GET /a?b=1 HTTP/1.1" 200 2326\n2001:db8::1 - [x] [31/Jan/2026:14:05:06 +0100] "POST /é HTTP/2.0" 201 5 "-" "curl \\"8\\""\r\n',
  'https 2026-01-31T13:05:06.500000Z app/my-lb/50dc6c495c0c9188 [2001:db8::1]:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://example.com:443/a?b=1 HTTP/1.1" ' +
    '"curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-5-1" "www.example.com" "arn:aws:acm:1:certificate/1" 1 2026-01-31T13:05:06.000000Z "forward"\n',
  '{"ClientIP":"203.0.113.9","ClientRequestMethod":"GET","ClientRequestURI":"/a?b=1","EdgeResponseStatus":200,"EdgeStartTimestamp":"2026-01-31T13:05:06Z"}\n',
  '{"level":30,"time":1769864706000,"pid":1,"hostname":"web","reqId":"req-1","req":{"method":"GET","url":"/a","remoteAddress":"203.0.113.9"},"msg":"incoming request"}\n' +
    '{"level":30,"time":1769864706000,"pid":1,"hostname":"web","reqId":"req-1","res":{"statusCode":200},"msg":"request completed"}\n',
  'Status,Request_URI,Client-IP,note,timestamp,user_id,plan,units,method\n200,"/a?b=1",203.0.113.9,"a ""note"", with commas",1769864706,42,premium,3,get\n',
  'time;ip;path;cost\n2026-01-31T14:05:06+01:00;203.0.113.9;/a?b=1;2\n', '# a comment\n\n{"level":30,"msg":"other"}\n'
]

/** All that is read of a log whose bytes come in these chunks. */
function readLog (chunks: readonly Buffer[]): { entries: readonly LogEntry[], counts: LogEntries['counts'] } {
  const entries: LogEntry[] = []
  const log = new LogEntries(0, (batch) => { entries.push(...batch) })
  const splitter = new LineSplitter((...line) => { log.addLine(...line) })
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  log.flush()
  return { entries, counts: log.counts }
}

function cut (bytes: Buffer, length: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) => bytes.subarray(index * length, (index + 1) * length))
}

function holdEntry ({ timeUs, address, method, path, status, given }: LogEntry): void {
  hold(Number.isSafeInteger(timeUs) && timeUs >= 0, `the time ${timeUs}`)
  hold(address !== '' && address.length <= 256, `the address ${address}`)
  hold(/^[A-Z-]{1,20}$/.test(method), `the method ${method}`)
  hold(path !== '' && !/[?#]/.test(path), `the path ${path}`)
  hold(status === null || (Number.isInteger(status) && status >= 0 && status <= 999), `the status ${status}`)
  for (const limit of [null, 'default', 'constructor']) {
    const cost = findCost(given, limit)
    hold(Number.isSafeInteger(cost) && cost >= 0, `the cost ${cost}`)
  }
}

const log: Target = {
  name: 'log',
  inputs: hostileBytes(LOGS, ['"', '\\"', '\n', '\r\n', '[31/Jan/2026:13:05:06 +0000]', '"url":""', '"statusCode":1e400', '"cost":0.5', '""', '99999', '{', '"req":{}', '"" ', ' HTTP/1.1']),
  check (input) {
    const bytes = Buffer.from(input, 'latin1')
    const { entries, counts } = readLog([bytes])
    hold(counts.requests + counts.others + counts.bad === counts.lines && entries.length === counts.requests, JSON.stringify(counts))
    for (const entry of entries) holdEntry(entry)
    // However a file is cut into chunks, its lines are the same.
    for (const length of [1, 7, 64]) {
      const again = readLog(cut(bytes, length))
      hold(JSON.stringify(again) === JSON.stringify({ entries, counts }), `other lines in chunks of ${length} bytes`)
    }
  }
}

export const logTargets: readonly Target[] = [log]
