// PostgreSQL for the Node servers: eight connections, as the server has, on each of which a statement is prepared once.
// postgres.js, because it was faster here than pg (444 against 405 requests a second with Mercurius on the full Dashboard).
import { readFileSync } from 'node:fs'
import postgres from 'postgres'

const CONNECTIONS = 8
const MOST = 101
const source = readFileSync(new URL('statements.sql', import.meta.url), 'utf8').replace(/^--(?! name).*\n/gm, '')
const texts = new Map(source.split(/^-- name: /m).slice(1).map(part => {
  const end = part.indexOf('\n')
  return [part.slice(0, part.indexOf(' ')), part.slice(end).trim()]
}))
const sized = new Map()

// Times and days stay text: a Date would lose the microseconds and has to be written out again.
const text = (oid, parse) => ({ to: oid, from: [oid], serialize: value => value, parse })
const types = {
  date: text(1082, value => value),
  timestamptz: text(1184, value => value.replace(' ', 'T').replace('+00', 'Z'))
}

// A URL without a host, as sockets have it, is none to `new URL`.
const url = new URL(process.env.DATABASE_URL.replace('@/', '@localhost/'))
const sql = postgres({
  host: url.searchParams.get('host') ?? url.hostname,
  port: Number(url.port || 5432),
  database: url.pathname.slice(1),
  username: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  max: CONNECTIONS,
  connection: { jit: 'off', TimeZone: 'UTC' },
  types
})
let sent = 0

/** The rows of the named statement; `limit` is for those that have one. */
export function ask (name, values, limit = null) {
  sent += 1
  return sql.unsafe(statement(name, limit), values, { prepare: true })
}

/** How many statements have been sent. */
export const statementsSent = () => sent

/** Opens every connection. */
export const connect = () => Promise.all(Array.from({ length: CONNECTIONS }, () => sql`select pg_sleep(0.1)`))

function statement (name, limit) {
  if (limit === null) return texts.get(name)
  const key = `${name}_${limit}`
  if (!sized.has(key)) {
    if (!(Number.isInteger(limit) && limit >= 0 && limit <= MOST)) throw new RangeError('limit is too large')
    sized.set(key, texts.get(name).replaceAll('{limit}', limit))
  }
  return sized.get(key)
}
