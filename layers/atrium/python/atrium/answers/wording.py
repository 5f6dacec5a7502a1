"""What an answer says in the language of its question, where no model is asked for the words."""

from typing import Final

# In English, for a prompt; by ISO 639-1.
LANGUAGE_NAMES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian",
    "hy": "Armenian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "kn": "Kannada", "ko": "Korean",
    "lt": "Lithuanian", "lv": "Latvian", "ml": "Malayalam", "mr": "Marathi", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian",
    "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovene",
    "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
NO_ANSWER: Final = "I could not find an answer to this in your documents."
_NO_ANSWER_IN: Final = {
    "ar": "لم أجد إجابة عن هذا السؤال في مستنداتك.",
    "bg": "Във вашите документи не е намерен отговор на този въпрос.",
    "ca": "No he trobat cap resposta a aquesta pregunta en els vostres documents.",
    "cs": "Ve vašich dokumentech nebyla na tuto otázku nalezena odpověď.",
    "da": "Jeg fandt ikke noget svar på dette i dine dokumenter.",
    "de": "Dazu habe ich in Ihren Dokumenten keine Antwort gefunden.",
    "el": "Δεν βρέθηκε απάντηση σε αυτή την ερώτηση στα έγγραφά σας.",
    "es": "No he encontrado una respuesta a esta pregunta en sus documentos.",
    "fa": "پاسخی برای این پرسش در اسناد شما پیدا نشد.",
    "fi": "En löytänyt tähän vastausta asiakirjoistasi.",
    "fr": "Je n'ai pas trouvé de réponse à cette question dans vos documents.",
    "he": "לא נמצאה במסמכים שלך תשובה לשאלה הזו.",
    "hi": "आपके दस्तावेज़ों में इस प्रश्न का उत्तर नहीं मिला।",
    "hu": "Erre a kérdésre nem találtam választ a dokumentumaiban.",
    "id": "Saya tidak menemukan jawaban atas pertanyaan ini dalam dokumen Anda.",
    "it": "Non ho trovato una risposta a questa domanda nei vostri documenti.",
    "ja": "ご質問への回答は、お客様の文書の中に見つかりませんでした。",
    "ko": "문서에서 이 질문에 대한 답을 찾지 못했습니다.",
    "nl": "Ik heb hierop geen antwoord gevonden in uw documenten.",
    "no": "Jeg fant ikke noe svar på dette i dokumentene dine.",
    "pl": "W Twoich dokumentach nie znaleziono odpowiedzi na to pytanie.",
    "pt": "Não encontrei uma resposta a esta pergunta nos seus documentos.",
    "ro": "Nu am găsit un răspuns la această întrebare în documentele dumneavoastră.",
    "ru": "В ваших документах ответ на этот вопрос не найден.",
    "sv": "Jag hittade inget svar på detta i dina dokument.",
    "th": "ไม่พบคำตอบสำหรับคำถามนี้ในเอกสารของคุณ",
    "tr": "Belgelerinizde bu sorunun yanıtını bulamadım.",
    "uk": "У ваших документах відповіді на це запитання не знайдено.",
    "vi": "Tôi không tìm thấy câu trả lời cho câu hỏi này trong tài liệu của bạn.",
    "zh": "在您的文档中未找到该问题的答案。",
}


def no_answer(language: str) -> str:
    """That nothing was found, in a language; in English where there are no words for it."""
    return _NO_ANSWER_IN.get(language, NO_ANSWER)
