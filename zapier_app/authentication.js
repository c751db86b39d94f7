'use strict';

// One of two schemes: an API key, or OAuth2 (ZAPIER_AUTH=oauth2) for a Gradewire behind an identity provider whose tokens it
// takes. Choose before the app is published: the scheme can hardly be changed once people use it.

const { ask, pageUrl } = require('./lib/http');

const test = (z) => ask(z, '/v1/me');
/** Says whose account it is, and whether its market is made up; never the key. */
const connectionLabel = (_z, bundle) => {
  const me = bundle.inputData;
  return me.sandbox ? `${me.email} (sandbox)` : me.email;
};

const apiKey = {
  type: 'custom',
  fields: [
    {
      key: 'apiKey',
      label: 'API Key',
      type: 'password',
      required: true,
      helpText: `It begins with gw_live_. Its operator makes it with \`gradewire keys create\`; [what it is for](${pageUrl('/docs')}).`,
    },
  ],
  test,
  connectionLabel,
};

const tokens = async (z, grant) => {
  const { data } = await z.request({
    url: process.env.OAUTH_TOKEN_URL,
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: { client_id: process.env.CLIENT_ID, client_secret: process.env.CLIENT_SECRET, ...grant },
  });
  return { access_token: data.access_token, refresh_token: data.refresh_token };
};

const oauth2 = {
  type: 'oauth2',
  oauth2Config: {
    authorizeUrl: {
      url: '{{process.env.OAUTH_AUTHORIZE_URL}}',
      params: {
        client_id: '{{process.env.CLIENT_ID}}',
        state: '{{bundle.inputData.state}}',
        redirect_uri: '{{bundle.inputData.redirect_uri}}',
        response_type: 'code',
      },
    },
    getAccessToken: (z, bundle) =>
      tokens(z, {
        grant_type: 'authorization_code',
        code: bundle.inputData.code,
        redirect_uri: bundle.inputData.redirect_uri,
        code_verifier: bundle.inputData.code_verifier,
      }),
    refreshAccessToken: (z, bundle) =>
      tokens(z, { grant_type: 'refresh_token', refresh_token: bundle.authData.refresh_token }),
    enablePkce: true,
    autoRefresh: true,
  },
  test,
  connectionLabel,
};

module.exports = { apiKey, oauth2, chosen: process.env.ZAPIER_AUTH === 'oauth2' ? oauth2 : apiKey };
