"""Where a token may stand in a request, and what of it the upstream must not see.

A browser can't set the headers of a websocket, so there a query parameter or a cookie may carry the token. Knows
nothing about who issues tokens.
"""

from dataclasses import dataclass, replace

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, QueryParameterMatcher, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtHeader
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.translate.options import AuthOptions

ANY_ORIGIN = "*"
_AUTHORIZATION = "Authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place. A request is looked at there if it has that header or parameter, or, `is_last`, in any case.

    With an `origin`, if it comes from a page of that and no other.
    """

    name: str
    headers: tuple[JwtHeader, ...] = ()
    parameters: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    origin: str = ""
    is_last: bool = True

    def match(self, path: str) -> RouteMatch:
        """Which requests to `path` are looked at in this place."""
        found = RouteMatch(path_separated_prefix=path)
        if self.origin:
            found.headers = [HeaderMatcher(name="origin", string_match=StringMatcher(exact=self.origin))]
        elif not self.is_last:
            found.headers = [HeaderMatcher(name=each.name, present_match=True) for each in self.headers]
            found.query_parameters = [QueryParameterMatcher(name=each, present_match=True) for each in self.parameters]
        return found


HEADER = Place(name="header", headers=(JwtHeader(name=_AUTHORIZATION, value_prefix="Bearer "),))


def places(auth: AuthOptions) -> tuple[Place, ...]:
    """Where the token of a websocket is looked for: in the first of these that the request has, and there alone.

    Envoy would take several, the same request being one tenant's by its header and another's by its query. A browser
    sends a cookie whoever's page opens a websocket, and CORS does not keep it from that; but it says whose page it is.
    A cookie from a page of no origin that is named is as if it were not there.
    """
    found = [HEADER]
    if auth.websocket_query:
        found.append(Place(name="query", parameters=(auth.websocket_query,)))
    if auth.websocket_cookie:
        cookie = Place(name="cookie", cookies=(auth.websocket_cookie,))
        named = [each for each in auth.websocket_origins if each != ANY_ORIGIN]
        found += [*(replace(cookie, origin=each) for each in named), HEADER] if named else [cookie]
    return (*(replace(each, is_last=False) for each in found[:-1]), found[-1])


def hide_tokens(auth: AuthOptions) -> Lua | None:
    """Take the parameter and the cookie out of a websocket's request; None if no token may stand there.

    Whether or not it was the one that counted. Envoy's own ways (`forward: false`, query parameter mutations) decode
    the rest of the query and write it back as it is then, so that `x=%26a%3Db` becomes `x=&a=b`; and none removes one
    cookie of several.
    """
    if not (auth.websocket_query or auth.websocket_cookie):
        return None
    script = _SCRIPT.replace("@QUERY@", auth.websocket_query).replace("@COOKIE@", auth.websocket_cookie)
    return Lua(default_source_code=DataSource(inline_string=script))


_SCRIPT = """\
local QUERY, COOKIE = "@QUERY@", "@COOKIE@"

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function without_token(path)
  local at = path:find("?", 1, true)
  if QUERY == "" or not at then return path end
  local kept = {}
  for pair in path:sub(at + 1):gmatch("[^&]+") do
    if decoded(pair:match("^[^=]*")) ~= QUERY then kept[#kept + 1] = pair end
  end
  return path:sub(1, at - 1) .. (#kept > 0 and "?" .. table.concat(kept, "&") or "")
end

local function hide_cookie(headers)
  local kept, found = {}, false
  for index = 0, headers:getNumValues("cookie") - 1 do
    for pair in headers:getAtIndex("cookie", index):gmatch("[^;]+") do
      local trimmed = pair:match("^%s*(.-)%s*$")
      if trimmed:match("^[^=]*"):match("^(.-)%s*$") == COOKIE then
        found = true
      elseif trimmed ~= "" then
        kept[#kept + 1] = trimmed
      end
    end
  end
  if not found then return end
  headers:remove("cookie")
  if #kept > 0 then headers:add("cookie", table.concat(kept, "; ")) end
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  if not (path == "/ws" or path:find("^/ws[/?]")) then return end
  local shown = without_token(path)
  if shown ~= path then headers:replace(":path", shown) end
  if COOKIE ~= "" then hide_cookie(headers) end
end
"""
"""Both names are of letters, digits and `_.-` only: `AuthOptions` sees to it."""
