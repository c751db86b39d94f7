'use strict';

// What the tests share: which Gradewires run (tests/zapier/test_app.py starts them), and a stand-in for Zapier's own address.

const http = require('node:http');
const { once } = require('node:events');
const zapier = require('zapier-platform-core');

/** The running Gradewires, as {url, key}: `demo`, `live` and `market` are accounts of one; `quiet` and `strict` others. */
const servers = JSON.parse(process.env.GRADEWIRE_SERVERS || 'null');
const skip = servers ? false : 'It needs running Gradewires: run tests/zapier/test_app.py';

/** The app, asking one of them. */
const appAt = (name) => {
  if (servers) process.env.BASE_URL = servers[name].url;
  const App = require('../index');
  const authData = { apiKey: servers ? servers[name].key : '' };
  const run = (perform, bundle = {}) => testerOf(App, perform)(perform, { authData, inputData: {}, meta: {}, ...bundle });
  return { App, run };
};

const testers = new Map();

/** The runtime for one action, with no other in the app: it copies the whole app for each call, and this one is large. */
const testerOf = (App, perform) => {
  const found = ['triggers', 'searches', 'creates']
    .flatMap((kind) => Object.values(App[kind]).map((action) => ({ kind, action })))
    .find(({ action }) => Object.values(action.operation).includes(perform));
  const key = found ? found.action.key : '';
  const alone = found ? { [found.kind]: { [key]: found.action } } : {};
  if (!testers.has(key)) testers.set(key, zapier.createAppTester({ ...App, triggers: {}, searches: {}, creates: {}, ...alone }));
  return testers.get(key);
};

/** Asks a Gradewire as no app does. */
const api = async (name, path, body, method = body ? 'POST' : 'GET') => {
  const { url, key } = servers[name];
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { 'X-Api-Key': key, ...(body ? { 'Content-Type': 'application/json' } : {}) },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, data: text ? JSON.parse(text) : undefined };
};

/** An address as Zapier gives one to each Zap: what arrives is kept as the bundle's rawRequest and cleanedRequest. */
class CatchHook {
  async open() {
    this.got = new Map();
    this.server = http.createServer((request, response) => this.take(request, response));
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  url(path) {
    return `http://127.0.0.1:${this.server.address().port}${path}`;
  }

  async take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const content = Buffer.concat(chunks).toString('utf8');
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [zapiersName(name), value]));
    const rawRequest = { method: request.method, querystring: '', headers, content };
    const cleanedRequest = { ...(content ? JSON.parse(content) : {}), querystring: {} };
    this.got.set(request.url, [...this.at(request.url), { rawRequest, cleanedRequest }]);
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end('{"status":"success"}');
    this.server.emit('taken');
  }

  at(path) {
    return this.got.get(path) || [];
  }

  /** What came to a path, once there is so much of it. */
  async wait(path, count = 1, seconds = 30) {
    const until = AbortSignal.timeout(seconds * 1000);
    while (this.at(path).length < count) await once(this.server, 'taken', { signal: until });
    return this.at(path);
  }

  /** The first at a path that is so, once it is there; others may come before it, as the market moves. */
  async waitFor(path, isSo) {
    for (let count = 1; ; count += 1) {
      const found = (await this.wait(path, count, 60)).find(({ cleanedRequest }) => isSo(cleanedRequest));
      if (found) return found;
    }
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** How Zapier writes the names of a hook's headers. */
const zapiersName = (name) => {
  const camel = name.split('-').map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join('-');
  return camel.startsWith('Content-') ? camel : `Http-${camel}`;
};

/** Who to watch, so that a wish is always a fair one: Ethereum (nothing moves against itself), any index, or the market. */
const someone = (trigger) => ({ token: { watch: 'tokens', tokens: ['3306'] }, index: { watch: 'any' }, market: {} })[trigger.subject];

/** Zaps of an app at a catch hook: switched on, run for what arrived, switched off. */
const zaps = (App, run, zapier) => {
  const operation = (key) => App.triggers[key].operation;
  return {
    operation,
    switchOn: async (key, path, inputData) => {
      const targetUrl = zapier.url(path);
      const subscribeData = await run(operation(key).performSubscribe, { inputData, targetUrl });
      return { inputData, path, subscribeData, targetUrl };
    },
    switchOff: (key, zap) => run(operation(key).performUnsubscribe, zap),
    perform: (key, zap, arrived) => run(operation(key).perform, { ...zap, ...arrived }),
  };
};

module.exports = { CatchHook, api, appAt, servers, skip, someone, zaps };
