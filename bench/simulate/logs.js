import { closeSync, openSync, writeSync } from 'node:fs'
import { seededRandom } from '../random.js'

const PATHS = ['/api/v1/items/', '/api/v1/users/', '/search?q=', '/login/', '/assets/app.', '/cart/']
const CLIENTS = 100_000
const START_MS = Date.UTC(2026, 0, 31, 13)
const MONTH = 'Jan/2026'

/** A request in each format. Fastify's logger writes two lines for it. */
export const formats = {
  combined: ({ address, path, date }) => {
    const [day, time] = [date.getUTCDate(), date.toISOString().slice(11, 19)]
    return `${address} - - [${String(day).padStart(2, '0')}/${MONTH}:${time} +0000] "GET ${path} HTTP/1.1" 200 5120 "https://example.com/page" ` +
      '"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"\n'
  },
  alb: ({ address, path, date }) => `https ${date.toISOString()} app/lb/50dc6c495c0c9188 ${address}:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 ` +
    `"GET https://www.example.com:443${path} HTTP/1.1" "curl/8.5.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:targetgroup/1 "Root=1-58337281" ` +
    `"www.example.com" "arn:aws:certificate/1" 1 ${date.toISOString()} "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"\n`,
  csv: ({ address, path, date }) => `${date.toISOString()},${address},GET,${path},200\n`,
  cloudflare: ({ address, path, date }) => `${JSON.stringify({
    ClientIP: address, ClientRequestHost: 'example.com', ClientRequestMethod: 'GET', ClientRequestURI: path, EdgeResponseStatus: 200, EdgeStartTimestamp: date.toISOString(), RayID: '41ddf1740f67442d'
  })}\n`,
  pino: ({ address, path, date, number }) => {
    const head = `{"level":30,"time":${date.getTime()},"pid":7,"hostname":"web-1","reqId":"req-${number}",`
    return `${head}"req":{"method":"GET","url":"${path}","host":"api.example.com","remoteAddress":"${address}","remotePort":40112},"msg":"incoming request"}\n` +
      `${head}"res":{"statusCode":200},"responseTime":3.1,"msg":"request completed"}\n`
  }
}

/** Write a log. Few clients make many of the requests. */
export function writeLog (file, format, requests) {
  const random = seededRandom(1)
  const output = openSync(file, 'w')
  let text = format === 'csv' ? 'time,ip,method,path,status\n' : ''
  for (let number = 0; number < requests; number++) {
    const client = Math.floor((random(CLIENTS) / CLIENTS) ** 3 * CLIENTS)
    text += formats[format]({
      number,
      address: `10.${client >> 16}.${client >> 8 & 255}.${client & 255}`,
      path: `${PATHS[random(PATHS.length)]}${random(1000)}`,
      date: new Date(START_MS + number)
    })
    if (text.length < 1_000_000) continue
    writeSync(output, text)
    text = ''
  }
  writeSync(output, text)
  closeSync(output)
}
