"""The settings of a websocket's token, which a browser can't put into a header.

A part of `xds.settings`, apart from it because it stands alone.
"""

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from xds.settingvalues import read_items

_NAME = r"^[A-Za-z0-9_.-]{0,64}$"
_ANY = "*"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:[0-9]{1,5})?")
"""As browsers send it (RFC 6454, section 6.2): in lower case, with no slash at the end."""


class WebsocketSettings(BaseSettings):
    """What `Settings` has of these; each field's variable is its name in capitals."""

    auth_websocket_query: str = Field(
        default="",
        pattern=_NAME,
        description="A query parameter that may carry the token to /ws, access_token say; the cell does not see it.",
    )
    auth_websocket_cookie: str = Field(
        default="",
        pattern=_NAME,
        description="A cookie that may carry the token to /ws; the cell does not see it. Needs the next.",
    )
    auth_websocket_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="The origins whose pages may use that cookie, separated by commas: https://app.example, exactly as"
        " browsers send them. *: any site's may, in the name of whoever looks at it.",
    )

    _origins = field_validator("auth_websocket_origins", mode="before")(read_items)

    @field_validator("auth_websocket_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [each for each in value if not _ORIGIN.fullmatch(each)]
        if wrong and value != (_ANY,):
            raise ValueError(
                f"expected origins as browsers send them, https://app.example say, or * alone; got {wrong[0]}"
            )
        return value

    @model_validator(mode="after")
    def _knows_whose_pages(self) -> Self:
        if self.auth_websocket_cookie and not self.auth_websocket_origins:
            raise ValueError(
                "AUTH_WEBSOCKET_ORIGINS: must be set with AUTH_WEBSOCKET_COOKIE, which browsers send for any site's"
                " page: the origins whose pages may use it, or * for all"
            )
        return self
