"""The whole way in a real browser, wide and on a phone; METAGLOT_SCREENSHOTS=FOLDER keeps pictures."""

import os
import zipfile
from pathlib import Path

import pytest
from tests.playground.browser import CHROMIUM, Visitor, needed, served

import metaglot as mg

pytestmark = pytest.mark.slow
SHOTS = os.environ.get("METAGLOT_SCREENSHOTS")


@pytest.fixture(scope="module")
def address():
    needed()
    from metaglot.playground.desk import Desk
    from metaglot.playground.run import application

    with served(application(Desk(mg.load("builtin:mini")))) as found:
        yield found


@pytest.fixture(scope="module")
def browser(address):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def shot(name: str) -> Path | None:
    return Path(SHOTS) / f"playground-{name}.png" if SHOTS else None


def test_from_a_click_to_a_model_that_is_downloaded(browser, address, tmp_path):
    visitor = Visitor(browser, address, width=1280)
    page = visitor.page
    visitor.learn("tickets")
    assert "12" in page.inner_text("#mg-message")
    assert "%" in page.inner_text("#mg-message")
    assert page.locator("#mg-maps svg").count() == 2
    assert visitor.said() == "billing"
    assert page.locator("#mg-reply .mg-bars .name").count() == 3
    assert page.locator("#mg-reply .mg-why li").count() == 4
    visitor.shot(shot("wide"))
    page.fill("#mg-text textarea", "Which wine goes well with salmon?")
    page.click("#mg-ask")
    page.wait_for_selector("#mg-reply >> text=none of these")
    page.fill("#mg-mend textarea, #mg-mend input", "food")
    page.click("#mg-mend-do")
    page.wait_for_selector("#mg-reply >> text=13 examples")
    assert visitor.said() == "food"
    assert "Which wine" in page.inner_text("#mg-table")
    page.fill("#mg-text textarea", "Is my box lost?")
    page.click("#mg-ask")
    page.wait_for_function("document.querySelector('#mg-code').innerText.includes('Is my box')")
    page.click("#mg-right label:has-text('delivery')")
    page.wait_for_selector("#mg-reply >> text=14 examples")
    assert visitor.said() == "delivery"
    with page.expect_download() as download:
        page.click("#mg-download")
    file = tmp_path / "model.zip"
    download.value.save_as(file)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    assert mg.load(tmp_path / "my-model").predict("Is my box lost?") == "delivery"
    assert not visitor.wide()
    visitor.closed()


def test_on_a_phone_in_chinese_with_names_and_answers(browser, address):
    visitor = Visitor(browser, address, width=390, language="zh-CN")
    page = visitor.page
    page.wait_for_selector("text=给几个例子")
    page.click("label:has-text('English')")
    page.wait_for_selector("text=Show it some examples")
    visitor.learn("names")
    page.wait_for_selector("#mg-marked >> text=Clara Jones")
    assert "PERSON" in page.inner_text("#mg-marked")
    assert "[Clara Jones](PERSON)" in page.input_value("#mg-mend textarea, #mg-mend input")
    assert not visitor.wide()
    visitor.shot(shot("names"))
    visitor.learn("answers")
    page.wait_for_selector("#mg-message >> text=no head of answers")
    page.wait_for_selector("#mg-marked >> text=The bridge")
    page.click("label:has-text('中文')")
    page.wait_for_selector("text=给几个例子")
    page.click("#mg-tickets")
    visitor.in_table("账单")
    page.click("#mg-learn")
    page.wait_for_selector("#mg-message >> text=已学完 12 个例子")
    assert page.inner_text("#mg-learn") == "开始学习"
    page.wait_for_selector("#mg-right >> text=不对？")
    page.wait_for_selector("#mg-reply .mg-said")
    assert not visitor.wide()
    visitor.shot(shot("phone"))
    visitor.closed()


def test_own_examples_are_pasted_edited_and_uploaded_and_mistakes_are_told(browser, address, tmp_path):
    visitor = Visitor(browser, address, width=1280)
    page = visitor.page
    page.click("#mg-learn")
    page.wait_for_selector("#mg-message .mg-error >> text=no examples yet")
    page.click("text=Paste or upload your own")
    page.fill("#mg-paste textarea", "I love it, good\nSo nice, good\nI hate it, bad\nAwful thing,")
    page.click("text=Put it into the table")
    visitor.in_table("Awful thing")
    page.click("#mg-learn")
    page.wait_for_selector("#mg-message .mg-error >> text=row 4 has no label")
    page.locator("#mg-table [data-testid='cell-3-1']").dblclick()
    page.keyboard.type("bad")
    page.keyboard.press("Enter")
    page.click("#mg-learn")
    page.wait_for_selector("#mg-message >> text=Learnt from 4 examples")
    file = tmp_path / "stars.csv"
    file.write_text("text,label\n" + "".join(f"text {n},{n}.5\n" for n in range(6)))
    page.set_input_files("input[data-testid$='upload-button']", str(file))
    visitor.in_table("5.5")
    page.click("#mg-learn")
    page.wait_for_selector("#mg-message >> text=Learnt from 6 examples")
    other = Visitor(browser, address, width=800)
    assert other.page.locator("#mg-ask").count() == 0 or not other.page.is_visible("#mg-ask")
    other.closed()
    visitor.closed()
