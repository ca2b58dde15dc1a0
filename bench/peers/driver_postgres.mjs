// postgres.js: statements are prepared because they are asked to be, and several wait on one connection.
import postgres from 'postgres'
import { CONNECTIONS, day, moment } from './values.mjs'

const type = (oid, parse) => ({ to: oid, from: [oid], serialize: value => value, parse })

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
  types: { date: type(1082, day), timestamptz: type(1184, moment) }
})

/** The rows of a statement, which is prepared once on each connection. */
export const run = (name, text, values) => sql.unsafe(text, values, { prepare: true })

/** Opens every connection. */
export const connect = () => Promise.all(Array.from({ length: CONNECTIONS }, () => sql`select pg_sleep(0.1)`))
